"""How a program gets into Kafka: brokers, TLS and password, from its settings to its clients.

A program has the rows of `ROWS` in its table of settings, made by `access_setting`:

    security_protocol: str = access_setting("security_protocol")
    kafka_ca_file: str | None = access_setting("ca_file")

and `access_of(settings, brokers)` gives what its Kafka clients need. Files are read when a client
is made, so a changed file counts from the next client on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from isotherm.errors import SettingsError
from isotherm.settings.address import parse_host_port
from isotherm.settings.parsers import choice, optional, text
from isotherm.settings.table import rows, setting
from isotherm.settings.tls import TlsFiles, check_pair, client_context, read_secret, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isotherm.settings.parsers import Parser

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TLS: Final = ("SSL", "SASL_SSL")
_SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")

ROWS: Final[Mapping[str, tuple[Parser, str | None, str]]] = {
    "security_protocol": (
        choice(*PROTOCOLS),
        "PLAINTEXT",
        "PLAINTEXT, SSL (TLS), SASL_SSL (TLS and a password) or SASL_PLAINTEXT.",
    ),
    "ca_file": (
        optional(text),
        None,
        "Certificates to trust, PEM; if not set, those of the system.",
    ),
    "cert_file": (optional(text), None, "Client certificate, PEM."),
    "key_file": (optional(text), None, "Its key, PEM, not encrypted."),
    "sasl_mechanism": (
        optional(choice(*MECHANISMS)),
        None,
        f"How to log in with SASL: {', '.join(MECHANISMS)}.",
    ),
    "username": (optional(text), None, "User name for SASL."),
    "password_file": (
        optional(text),
        None,
        "File with the password for SASL; a last newline is cut off.",
    ),
}
"""Parser, default and help of each key in ``[kafka]``; the keys are the fields of `KafkaAccess`."""


def brokers(value: Any) -> str:
    """Parser: HOST:PORT, or several with commas between them."""
    return ",".join(str(parse_host_port(part.strip())) for part in text(value).split(","))


def access_setting(name: str) -> Any:
    """A field of a settings dataclass: the row ``kafka.NAME``."""
    parse, default, words = ROWS[name]
    return setting(f"kafka.{name}", parse, default=default, help=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """What it takes to get into Kafka; holds the names of files, never what is in them.

    Attributes:
        brokers: HOST:PORT, several with commas.
        security_protocol: one of `PROTOCOLS`.
        ca_file: certificates to trust, PEM; None for those of the system.
        cert_file: the client's certificate, PEM; None where there is none.
        key_file: its key, PEM, not encrypted.
        sasl_mechanism: one of `MECHANISMS`; None without SASL.
        username: for SASL.
        password_file: for SASL.
    """

    brokers: str
    security_protocol: str = "PLAINTEXT"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    sasl_mechanism: str | None = None
    username: str | None = None
    password_file: str | None = None

    @property
    def files(self) -> TlsFiles:
        """The files of TLS."""
        return TlsFiles("kafka", self.ca_file, self.cert_file, self.key_file)

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken."""
        return self.security_protocol in _TLS

    @property
    def sasl(self) -> bool:
        """Whether a password is asked for."""
        return self.security_protocol in _SASL

    def check(self) -> None:
        """See that the settings can be meant together; no file is read.

        Raises:
            SettingsError: they cannot.
        """
        check_pair(self.files)
        protocol = self.security_protocol
        if not self.tls:
            fix = f"has no effect with kafka.security_protocol = {protocol}; write SSL or SASL_SSL"
            refuse(self.files.given(), fix)
        login = {
            "kafka.sasl_mechanism": self.sasl_mechanism,
            "kafka.username": self.username,
            "kafka.password_file": self.password_file,
        }
        if not self.sasl:
            fix = f"has no effect with kafka.security_protocol = {protocol}; write SASL_SSL"
            refuse({key: value for key, value in login.items() if value}, fix)
        elif missing := [key for key, value in login.items() if not value]:
            raise SettingsError(
                "kafka.security_protocol", protocol, f"set {', '.join(missing)} too"
            )

    def check_files(self) -> None:
        """See that every file can be used.

        Raises:
            SettingsError: one cannot.
        """
        if self.tls:
            client_context(self.files)
        self.password()

    def password(self) -> str | None:
        """The password; None without SASL.

        Raises:
            SettingsError: its file cannot be used.
        """
        return read_secret("kafka.password_file", self.password_file) if self.sasl else None

    def librdkafka(self) -> dict[str, Any]:
        """What every client on librdkafka needs; holds the password, so it is never shown.

        Raises:
            SettingsError: a file cannot be used.
        """
        # librdkafka says less about a file that it cannot use.
        self.check_files()
        made: dict[str, Any] = {
            "bootstrap.servers": self.brokers,
            "security.protocol": self.security_protocol,
        }
        if self.tls:
            made["ssl.ca.location"] = self.ca_file
            made["ssl.certificate.location"] = self.cert_file
            made["ssl.key.location"] = self.key_file
        if self.sasl:
            made["sasl.mechanism"] = self.sasl_mechanism
            made["sasl.username"] = self.username
            made["sasl.password"] = self.password()
        return {key: value for key, value in made.items() if value is not None}

    def suspects(self) -> str:
        """What to look at if Kafka hangs up without a reason."""
        login = ", kafka.username, kafka.password_file" if self.sasl else ""
        return f"if it stays so, look at kafka.security_protocol{login}"


def access_of(settings: object, brokers: str) -> KafkaAccess:
    """The way into Kafka of a program.

    Args:
        settings: an object whose class has a row for each of `ROWS`.
        brokers: HOST:PORT, several with commas.
    """
    fields = {row.key: row.name for row in rows(type(settings))}
    values = {name: getattr(settings, fields[f"kafka.{name}"]) for name in ROWS}
    return KafkaAccess(brokers=brokers, **values)
