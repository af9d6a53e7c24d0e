"""From settings to what Kafka's Java is told; only files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization

from aggregator.kafka.java import java_options, java_refusal, spark_options
from aggregator.settings import PREFIX, AggregatorSettings
from isotherm.contract import SettingsError
from isotherm.kafka.access import KafkaAccess
from isotherm.settings.table import load
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "username": "u"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificates")
    Authority(path, "ca").issue("client")
    (path / "password").write_text('a "quoted" \\\\ one\n')
    return path


def access(folder: Path, **more: str) -> KafkaAccess:
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.pem"}
    names = {key: str(folder / name) for key, name in files.items()}
    table: dict[str, Any] = {"brokers": "k:1", "security_protocol": "SSL", **names, **more}
    return load(AggregatorSettings, PREFIX, file={"kafka": table, "job.checkpoint": "c"}).access


def test_the_job_has_the_same_keys_and_checks_as_the_bridge() -> None:
    table = {"kafka": {"brokers": "k:1", **SASL}, "job.checkpoint": "c"}
    with pytest.raises(SettingsError, match=r"kafka.security_protocol = .*set kafka.password_file"):
        load(AggregatorSettings, PREFIX, file=table)


def test_certificates_go_as_text_each_kind_where_it_belongs(folder: Path) -> None:
    found = java_options(access(folder))
    # An executor on another machine has none of the files.
    assert not any(str(folder) in value for value in found.values())
    key, chain = found.pop("ssl.keystore.key"), found.pop("ssl.keystore.certificate.chain")
    both = (folder / "client.pem").read_text()
    assert key + "\n" + chain + "\n" == both
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert found == {
        "bootstrap.servers": "k:1",
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": (folder / "ca.pem").read_text().strip(),
        "ssl.keystore.type": "PEM",
    }


def test_a_password_is_quoted_as_kafka_reads_it(folder: Path) -> None:
    found = spark_options(access(folder, **SASL, password_file=str(folder / "password")))
    assert found["kafka.sasl.mechanism"] == "PLAIN"
    assert found["kafka.sasl.jaas.config"] == (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        r'username="u" password="a \"quoted\" \\\\ one";'
    )


def test_without_tls_only_the_brokers_are_said() -> None:
    assert java_options(KafkaAccess(brokers="k:1")) == {
        "bootstrap.servers": "k:1",
        "security.protocol": "PLAINTEXT",
    }


def test_a_key_in_a_form_that_only_openssl_reads_is_named_with_the_command(folder: Path) -> None:
    both = (folder / "client.pem").read_bytes()
    key = serialization.load_pem_private_key(both, None)
    older = folder / "older.key"
    older.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    assert b"BEGIN EC PRIVATE KEY" in older.read_bytes()
    with pytest.raises(SettingsError, match=r"kafka\.key_file = .*openssl pkcs8 -topk8 -nocrypt"):
        java_options(access(folder, key_file=str(older)))


# In Java's own words, as Kafka 3.9's client said them; its packages are made shorter.
@pytest.mark.parametrize(
    ("text", "sentence"),
    (
        (
            """
            java.util.concurrent.ExecutionException: a.k.SaslAuthenticationException: no such user
            a.k.SaslAuthenticationException: no such user
            """,
            (
                "it does not take kafka.username with the password in kafka.password_file: "
                "SaslAuthenticationException: no such user"
            ),
        ),
        (
            """
            a.k.SslAuthenticationException: SSL handshake failed
            Caused by: j.n.SSLHandshakeException: PKIX path building failed: s.s.BuilderException
            """,
            (
                "its certificate is not signed by an authority in kafka.ca_file: "
                "SSLHandshakeException: PKIX path building failed: BuilderException"
            ),
        ),
        (
            "Caused by: j.n.SSLHandshakeException: Received fatal alert: bad_certificate",
            "it wants a client certificate that it trusts: kafka.cert_file",
        ),
        (
            "j.s.CertificateException: No subject alternative names matching 127.0.0.2 found",
            "its certificate is for another host name than the one in kafka.brokers",
        ),
        (
            "a.k.IllegalSaslStateException: Unexpected handshake request",
            "it does not take kafka.sasl_mechanism",
        ),
        ("a.k.TimeoutException: Timed out waiting for a node assignment", None),
    ),
)
def test_words_of_a_refusal_become_a_sentence(text: str, sentence: str | None) -> None:
    found = java_refusal(text.splitlines())
    assert (found is None) if sentence is None else (found or "").startswith(sentence)
