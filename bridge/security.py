"""TLS and passwords: from the settings to a TLS context and to the Kafka clients' configuration.

Files are read when the bridge starts and when it makes a new Kafka client. What they hold goes to
the client libraries and nowhere else.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from contract.errors import SettingsError

if TYPE_CHECKING:
    from bridge.settings import BridgeSettings

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TLS: Final = ("SSL", "SASL_SSL")
_SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")


class _Files(NamedTuple):
    """The file names of one section, ``mqtt`` or ``kafka``."""

    section: str
    ca_file: str | None
    cert_file: str | None
    key_file: str | None

    def given(self) -> dict[str, str]:
        names = self._asdict()
        del names["section"]
        return {f"{self.section}.{name}": value for name, value in names.items() if value}


def check(settings: BridgeSettings) -> None:
    """See that the settings can be meant together; no file is read.

    Raises:
        SettingsError: they cannot.
    """
    mqtt, kafka = _mqtt_files(settings), _kafka_files(settings)
    for files in (mqtt, kafka):
        if files.cert_file and not files.key_file:
            key, other = "cert_file", "key_file"
        elif files.key_file and not files.cert_file:
            key, other = "key_file", "cert_file"
        else:
            continue
        fix = f"is of no use alone; set {files.section}.{other} too (one file may hold both)"
        raise SettingsError(f"{files.section}.{key}", getattr(files, key), fix)
    if settings.mqtt.scheme != "mqtts":
        _refuse(mqtt.given(), "has no effect without TLS; write mqtt.url = mqtts://HOST:PORT")
    if settings.password_file and not (settings.username or settings.mqtt.username):
        raise SettingsError("mqtt.password_file", settings.password_file, "set mqtt.username too")
    _check_kafka(settings, kafka)


def read_secret(key: str, path: str | None) -> str | None:
    """The secret in a file, without a last line end.

    Args:
        key: of the setting that names the file, for errors.
        path: None: there is none.

    Raises:
        SettingsError: the file cannot be read, or is empty.
    """
    if path is None:
        return None
    try:
        secret = Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsError(key, path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Its own words hold a byte of the secret.
        raise SettingsError(key, path, "is not UTF-8 text") from None
    if not secret:
        raise SettingsError(key, path, "is empty; write the password into it")
    return secret


def mqtt_context(settings: BridgeSettings) -> ssl.SSLContext | None:
    """For the MQTT connection; None without TLS.

    Raises:
        SettingsError: a file cannot be used.
    """
    return _context(_mqtt_files(settings)) if settings.mqtt.scheme == "mqtts" else None


def librdkafka_security(settings: BridgeSettings) -> dict[str, Any]:
    """The configuration of TLS and SASL for librdkafka.

    Raises:
        SettingsError: a file cannot be used.
    """
    protocol, files = settings.security_protocol, _kafka_files(settings)
    made: dict[str, Any] = {"security.protocol": protocol}
    if protocol in _TLS:
        _context(files)  # librdkafka says less about a file that it cannot use
        made["ssl.ca.location"] = files.ca_file
        made["ssl.certificate.location"] = files.cert_file
        made["ssl.key.location"] = files.key_file
    if protocol in _SASL:
        made["sasl.mechanism"] = settings.sasl_mechanism
        made["sasl.username"] = settings.kafka_username
        made["sasl.password"] = _kafka_password(settings)
    return {key: value for key, value in made.items() if value is not None}


def kafka_python_security(settings: BridgeSettings) -> dict[str, Any]:
    """The same for kafka-python.

    Raises:
        SettingsError: a file cannot be used.
    """
    protocol = settings.security_protocol
    made: dict[str, Any] = {"security_protocol": protocol}
    if protocol in _TLS:
        made["ssl_context"] = _context(_kafka_files(settings))
    if protocol in _SASL:
        made["sasl_mechanism"] = settings.sasl_mechanism
        made["sasl_plain_username"] = settings.kafka_username
        made["sasl_plain_password"] = _kafka_password(settings)
    return made


def suspects(settings: BridgeSettings) -> str:
    """What to look at if Kafka hangs up without a reason."""
    login = ", kafka.username, kafka.password_file" if settings.security_protocol in _SASL else ""
    return f"if it stays so, look at kafka.security_protocol{login}"


def check_files(settings: BridgeSettings) -> None:
    """See that every file can be used that the settings name.

    Raises:
        SettingsError: one cannot.
    """
    settings.password()
    mqtt_context(settings)
    kafka_python_security(settings)


def _check_kafka(settings: BridgeSettings, files: _Files) -> None:
    protocol = settings.security_protocol
    if protocol not in _TLS:
        _refuse(
            files.given(),
            f"has no effect with kafka.security_protocol = {protocol}; write SSL or SASL_SSL",
        )
    login = {
        "kafka.sasl_mechanism": settings.sasl_mechanism,
        "kafka.username": settings.kafka_username,
        "kafka.password_file": settings.kafka_password_file,
    }
    if protocol not in _SASL:
        _refuse(
            {key: value for key, value in login.items() if value},
            f"has no effect with kafka.security_protocol = {protocol}; write SASL_SSL",
        )
    elif missing := [key for key, value in login.items() if not value]:
        raise SettingsError("kafka.security_protocol", protocol, f"set {', '.join(missing)} too")


def _refuse(given: dict[str, str], fix: str) -> None:
    for key, value in given.items():
        raise SettingsError(key, value, fix)


def _mqtt_files(settings: BridgeSettings) -> _Files:
    return _Files("mqtt", settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file)


def _kafka_files(settings: BridgeSettings) -> _Files:
    return _Files(
        "kafka", settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
    )


def _kafka_password(settings: BridgeSettings) -> str | None:
    return read_secret("kafka.password_file", settings.kafka_password_file)


def _context(files: _Files) -> ssl.SSLContext:
    for key, path in files.given().items():
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise SettingsError(key, path, f"cannot be read: {error.strerror}") from error
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except ssl.SSLError as error:
        fix = "holds no certificates in PEM form"
        raise SettingsError(f"{files.section}.ca_file", files.ca_file, fix) from error
    if files.cert_file and files.key_file:
        key = f"{files.section}.key_file"

        def ask() -> NoReturn:
            # Without this OpenSSL would ask on the terminal, and wait.
            raise SettingsError(key, files.key_file, "is encrypted; name a file with the bare key")

        try:
            context.load_cert_chain(files.cert_file, files.key_file, ask)
        except ssl.SSLError as error:
            fix = (
                f"is not the key of {files.section}.cert_file"
                if error.reason == "KEY_VALUES_MISMATCH"
                else f"or {files.section}.cert_file does not hold what it should in PEM form"
            )
            raise SettingsError(key, files.key_file, fix) from error
    return context
