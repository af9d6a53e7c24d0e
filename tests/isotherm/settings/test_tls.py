"""Which certificates a client of ours takes: the same under every Python."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from isotherm.errors import SettingsError
from isotherm.settings.refusal import refusal
from isotherm.settings.tls import TlsFiles, client_context, read_secret

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.timedelta(days=1)


class Maker:
    """Makes certificates as plain as `openssl req -x509` and `openssl x509 -req` do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}

    def make(self, name: str, signer: str, *, ca: bool) -> Path:
        """One without key usage and without key identifiers; the file has the key too."""
        key = self.keys[name] = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )
        if ca:
            basic = x509.BasicConstraints(ca=True, path_length=None)
            builder = builder.add_extension(basic, critical=False)
        else:
            host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        certificate = builder.sign(self.keys[signer], hashes.SHA256())
        file = self._folder / f"{name}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return file


def handshake(server: Path, trusted: Path, *more: Path) -> None:
    """Connect a client of ours to a server with this certificate.

    Raises:
        ssl.SSLError: the client does not take it.
    """
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = server.with_name("chain.pem")
    chain.write_bytes(b"".join(file.read_bytes() for file in (server, *more)))
    ours.load_cert_chain(chain)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            try:
                ours.wrap_socket(peer, server_side=True).close()
            except OSError:
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            context = client_context(TlsFiles("mqtt", str(trusted), None, None))
            with socket.create_connection(listener.getsockname()[:2], 5) as plain:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        finally:
            thread.join(10)


def test_an_authority_as_people_make_it_is_taken(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    authority = maker.make("authority", "authority", ca=True)
    handshake(maker.make("server", "authority", ca=False), authority)


def test_a_stranger_is_not_taken(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    maker.make("authority", "authority", ca=True)
    stranger = maker.make("stranger", "stranger", ca=True)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(maker.make("server", "authority", ca=False), stranger)
    said = refusal("mqtt", str(caught.value))
    assert said is not None
    assert said.startswith("its certificate is not signed by an authority in mqtt.ca_file")


def test_an_authority_that_is_no_root_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    maker.make("root", "root", ca=True)
    middle = maker.make("middle", "root", ca=True)
    handshake(maker.make("server", "middle", ca=False), middle)


def test_no_python_adds_a_demand_of_its_own(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    authority = maker.make("authority", "authority", ca=True)
    context = client_context(TlsFiles("mqtt", str(authority), None, None))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "words",
    (
        "certificate verify failed: CA cert does not include key usage extension (_ssl.c:1018)",
        "certificate verify failed: Missing Authority Key Identifier (_ssl.c:1018)",
        "certificate verify failed: Basic Constraints of CA cert not marked critical",
        "certificate verify failed: EE certificate key too weak (_ssl.c:1006)",
        "certificate verify failed: CA signature digest algorithm too weak; md too weak",
    ),
)
def test_a_certificate_that_a_stricter_library_refuses_is_no_matter_of_whom_to_trust(
    words: str,
) -> None:
    said = refusal("mqtt", words)
    assert said is not None
    assert "is not made as a TLS library of today wants it" in said


def test_a_private_secret_may_be_a_credential_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("hidden\n")
    # As its access list shows; chmod 600 would be no help there, for the folder is read-only.
    file.chmod(0o440)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_secret("key", str(file), private=True)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("key", str(file), private=True) == "hidden"
