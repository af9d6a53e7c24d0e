"""TLS and secrets that stand in files: from the names in the settings to an `ssl.SSLContext`.

Files are read when a connection is set up. What they hold goes to the client libraries and nowhere
else.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from isotherm.errors import SettingsError

if TYPE_CHECKING:
    import ssl


MQTT_TLS: Final = frozenset({"mqtts", "wss"})
"""The schemes of brokers' addresses that mean TLS."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HEADER_TEXT: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""RFC 9110, 5.5, without what is obsolete."""


class TlsFiles(NamedTuple):
    """The file names of one section of the settings.

    Attributes:
        section: such as ``mqtt``; its keys are ``mqtt.ca_file`` and so on.
        ca_file: certificates to trust, PEM; None for those of the system.
        cert_file: the client's certificate, PEM; None where there is none.
        key_file: its key, PEM, not encrypted.
    """

    section: str
    ca_file: str | None
    cert_file: str | None
    key_file: str | None

    def given(self) -> dict[str, str]:
        """The file names that are set, by key."""
        names = self._asdict()
        del names["section"]
        return {f"{self.section}.{name}": value for name, value in names.items() if value}


def check_pair(files: TlsFiles) -> None:
    """See that certificate and key are both there or both not; no file is read.

    Raises:
        SettingsError: one of them stands alone.
    """
    if files.cert_file and not files.key_file:
        key, other = "cert_file", "key_file"
    elif files.key_file and not files.cert_file:
        key, other = "key_file", "cert_file"
    else:
        return
    fix = f"is of no use alone; set {files.section}.{other} too (one file may hold both)"
    raise SettingsError(f"{files.section}.{key}", getattr(files, key), fix)


def check_mqtt(
    files: TlsFiles, *, scheme: str, username: str | None, password_file: str | None
) -> None:
    """See that the settings of an MQTT connection can be meant together; no file is read.

    Raises:
        SettingsError: they cannot.
    """
    check_pair(files)
    if scheme not in MQTT_TLS:
        refuse(files.given(), "has no effect without TLS; write mqtt.url = mqtts://HOST:PORT")
    if password_file and not username:
        raise SettingsError("mqtt.password_file", password_file, "set mqtt.username too")


def refuse(given: dict[str, str], fix: str) -> None:
    """Refuse settings that have no effect.

    Raises:
        SettingsError: of the first, if there is one.
    """
    for key, value in given.items():
        raise SettingsError(key, value, fix)


def read_secret(key: str, path: str | None, *, private: bool = False) -> str | None:
    """The secret in a file, without a last line end.

    Args:
        key: of the setting that names the file, for errors.
        path: None: there is none.
        private: refuse a file that other users of this machine may open.

    Raises:
        SettingsError: the file cannot be read, is empty, or is open to others.
    """
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            secret = file.read().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsError(key, path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Its own words hold a byte of the secret.
        raise SettingsError(key, path, "is not UTF-8 text") from None
    if not secret:
        raise SettingsError(key, path, "is empty; write the password into it")
    if private and is_open_to_others(path, mode):
        fix = f"is open to other users of this machine (mode {mode:04o}); chmod 600 {path}"
        raise SettingsError(key, path, fix)
    return secret


def is_open_to_others(path: str, mode: int) -> bool:
    """Whether other users of this machine may open a file with a secret.

    Args:
        path: of the file.
        mode: its permissions.
    """
    # systemd gives a service's user its credentials by an access list, which shows as 0440; nobody
    # else gets into the folder.
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and Path(path).absolute().parent == Path(folder):
        return False
    return bool(mode & _OTHERS)


def read_header_secret(key: str, path: str | None, *, private: bool = False) -> str | None:
    """The secret in a file that an HTTP header is to carry; see `read_secret`.

    Raises:
        SettingsError: the file cannot be used, or holds what no header can carry.
    """
    secret = read_secret(key, path, private=private)
    if secret is not None and not _HEADER_TEXT.fullmatch(secret):
        fix = (
            "holds something else than one line of printable ASCII characters (without spaces "
            "around it), which no HTTP header can carry; write the token alone into it"
        )
        raise SettingsError(key, path, fix)
    return secret


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For a client; it checks certificate and host name always.

    It takes the same certificates under every Python. Since 3.13 `ssl.create_default_context` sets
    two flags more: VERIFY_X509_STRICT refuses what lacks extensions that RFC 5280 wants (key usage,
    authority key identifier), and so most authorities that people made with `openssl req -x509`;
    nobody who has the authority's key is kept out by that, and a board must not fall silent with an
    update of its system: it is off. VERIFY_X509_PARTIAL_CHAIN trusts what stands in the file also
    where it is no root, as whoever named it there wants: it is on.

    Raises:
        SettingsError: a file cannot be used.
    """
    import ssl  # noqa: PLC0415 6 MB, which a device without TLS can do without

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
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if files.cert_file and files.key_file:
        _load_pair(context, files)
    return context


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    import ssl  # noqa: PLC0415 as above

    key = f"{files.section}.key_file"

    def ask() -> NoReturn:
        # Without this OpenSSL would ask on the terminal, and wait.
        raise SettingsError(key, files.key_file, "is encrypted; name a file with the bare key")

    assert files.cert_file is not None
    try:
        context.load_cert_chain(files.cert_file, files.key_file, ask)
    except ssl.SSLError as error:
        fix = (
            f"is not the key of {files.section}.cert_file"
            if error.reason == "KEY_VALUES_MISMATCH"
            else f"or {files.section}.cert_file does not hold what it should in PEM form"
        )
        raise SettingsError(key, files.key_file, fix) from error
