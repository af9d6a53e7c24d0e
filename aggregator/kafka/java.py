"""The way into Kafka for Java: Spark's source and Kafka's own admin client.

Certificates and keys are handed over as text (Kafka's KIP-651), so that executors on other machines
need no files. Kafka keeps them out of what it logs; that Spark does is a setting of `session`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isotherm.errors import SettingsError
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isotherm.kafka.access import KafkaAccess

_LOGIN: Final = "org.apache.kafka.common.security"
_MODULES: Final = {
    "PLAIN": f"{_LOGIN}.plain.PlainLoginModule",
    "SCRAM-SHA-256": f"{_LOGIN}.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_LOGIN}.scram.ScramLoginModule",
}
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATE: Final = "CERTIFICATE"
_KEY: Final = "PRIVATE KEY"
"""OpenSSL, and so `KafkaAccess.check_files`, reads other forms too; Kafka's Java does not."""
_PKCS8: Final = "openssl pkcs8 -topk8 -nocrypt -in {} -out NEW"
_X509: Final = "openssl x509 -in {} -out NEW"
_FRAME: Final = re.compile(
    r"^(?:Caused by: )?(?:java\.util\.concurrent\.ExecutionException: )?|\b(?:[a-z]\w*\.)+(?=[A-Z])"
)
"""What people need not read: packages of Java, and that it was somebody else's exception."""


def java_options(access: KafkaAccess) -> dict[str, str]:
    """The configuration of a Kafka client in Java; holds secrets, so it is never shown.

    Raises:
        SettingsError: a file cannot be used.
    """
    access.check_files()
    made = {
        "bootstrap.servers": access.brokers,
        "security.protocol": access.security_protocol,
    }
    if access.tls:
        made |= _trust(access.ca_file) | _identity(access.cert_file, access.key_file)
    if access.sasl:
        made |= _login(access)
    return made


def check_access(access: KafkaAccess) -> None:
    """See, before Spark starts, that all clients of the job can use the files.

    Raises:
        SettingsError: one cannot be used.
    """
    java_options(access)


def spark_options(access: KafkaAccess) -> dict[str, str]:
    """The same as options of Spark's Kafka source.

    Raises:
        SettingsError: a file cannot be used.
    """
    return {f"kafka.{key}": value for key, value in java_options(access).items()}


def java_refusal(lines: Iterable[str]) -> str | None:
    """What a broker means that will not have a client in Java, with the setting that mends it.

    Args:
        lines: an exception with its causes.

    Returns:
        None if it is no refusal.
    """
    found = (refusal("kafka", java_words(line)) for line in lines)
    return next(filter(None, found), None)


def java_words(line: str) -> str:
    """What people need of a line of Java's."""
    return _FRAME.sub("", line.strip())


def _trust(ca_file: str | None) -> dict[str, str]:
    if ca_file is None:
        return {}
    return {
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _blocks("kafka.ca_file", ca_file, _CERTIFICATE, _X509),
    }


def _identity(cert_file: str | None, key_file: str | None) -> dict[str, str]:
    if cert_file is None or key_file is None:
        return {}
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": _blocks("kafka.key_file", key_file, _KEY, _PKCS8),
        "ssl.keystore.certificate.chain": _blocks(
            "kafka.cert_file", cert_file, _CERTIFICATE, _X509
        ),
    }


def _login(access: KafkaAccess) -> dict[str, str]:
    mechanism, username, password = access.sasl_mechanism, access.username, access.password()
    assert mechanism is not None
    assert username is not None
    assert password is not None
    module = _MODULES[mechanism]
    words = f"username={_quoted(username)} password={_quoted(password)}"
    return {"sasl.mechanism": mechanism, "sasl.jaas.config": f"{module} required {words};"}


def _quoted(text: str) -> str:
    """As Java's `StreamTokenizer` reads it, on which Kafka's parser stands."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def _blocks(key: str, path: str, kind: str, command: str) -> str:
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    found = [block[0] for block in _BLOCK.finditer(text) if block[1] == kind]
    if not found:
        fix = f"holds nothing that Java reads (BEGIN {kind}); make it so: {command.format(path)}"
        raise SettingsError(key, path, fix)
    # Of several keys OpenSSL takes the first; Java would take none.
    return found[0] if kind == _KEY else "\n".join(found)
