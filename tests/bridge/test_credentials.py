"""From settings to a TLS context and to the clients' configuration; only files are read."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from bridge.credentials import (
    check_files,
    kafka_access,
    kafka_python_security,
    mqtt_context,
)
from bridge.settings import PREFIX, BridgeSettings
from isotherm.contract import SettingsError
from isotherm.log import Availability, Log
from isotherm.settings.refusal import refusal
from isotherm.settings.table import load
from isotherm.settings.tls import read_secret
from tests.bridge.test_settings import run
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "username": "u"}


def made(**tables: Any) -> BridgeSettings:
    return load(BridgeSettings, PREFIX, file=tables)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificates")
    authority = Authority(path, "ca")
    for name in ("client", "other"):
        authority.issue(name)
    authority.issue("encrypted", password=b"s3cret")
    (path / "password").write_text("s3cret\n")
    (path / "empty").write_text("\n")
    (path / "latin-1").write_bytes(b"s3cr\xe9t")
    return path


@pytest.mark.parametrize(
    ("tables", "words"),
    (
        ({"mqtt": {"ca_file": "ca.pem"}}, r"mqtt.ca_file = 'ca.pem': .* mqtts://HOST:PORT"),
        (
            {"mqtt": {"url": "mqtts://h", "cert_file": "c.pem"}},
            r"mqtt.cert_file = 'c.pem': .* set mqtt.key_file too",
        ),
        (
            {"mqtt": {"url": "mqtts://h", "key_file": "k.pem"}},
            r"mqtt.key_file = 'k.pem': .* set mqtt.cert_file too",
        ),
        ({"mqtt": {"password_file": "p"}}, r"mqtt.password_file = 'p': set mqtt.username too"),
        (
            {"kafka": {"ca_file": "ca.pem"}},
            r"kafka.ca_file = 'ca.pem': .* write SSL or SASL_SSL",
        ),
        (
            {"kafka": {"security_protocol": "SSL", "username": "u"}},
            r"kafka.username = 'u': .* write SASL_SSL",
        ),
        ({"kafka": SASL}, r"kafka.security_protocol = 'SASL_SSL': set kafka.password_file too"),
        (
            {"kafka": {"security_protocol": "SASL_PLAINTEXT", "password_file": "p"}},
            r"'SASL_PLAINTEXT': set kafka.sasl_mechanism, kafka.username too",
        ),
        ({"kafka": {"security_protocol": "TLS"}}, r"write one of: PLAINTEXT, SSL"),
        ({"kafka": {**SASL, "sasl_mechanism": "GSSAPI"}}, r"write one of: PLAIN, SCRAM-SHA-256"),
    ),
)
def test_what_cannot_be_meant_together_is_named_with_its_fix(
    tables: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        made(**tables)


def test_mqtts_has_its_own_port_and_checks_certificate_and_name(folder: Path) -> None:
    settings = made(mqtt={"url": "mqtts://broker", "ca_file": str(folder / "ca.pem")})
    assert settings.mqtt.port == 8883
    context = mqtt_context(settings)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    [authority] = context.get_ca_certs()
    assert authority["subject"] == ((("commonName", "ca"),),)
    assert mqtt_context(made()) is None


@pytest.mark.parametrize(
    ("files", "words"),
    (
        ({"ca_file": "none"}, r"\.ca_file = .*none': cannot be read: No such file"),
        ({"ca_file": "password"}, r"\.ca_file = .*password': holds no certificates"),
        ({"cert_file": "client.pem", "key_file": "none"}, r"\.key_file = .*none': cannot be read"),
        (
            {"cert_file": "client.pem", "key_file": "other.pem"},
            r"\.key_file = .*other.pem': is not the key of \w+\.cert_file",
        ),
        (
            {"cert_file": "client.pem", "key_file": "password"},
            r"\.key_file = .*password': .* does not hold what it should",
        ),
        (
            {"cert_file": "encrypted.pem", "key_file": "encrypted.pem"},
            r"\.key_file = .*encrypted.pem': is encrypted",
        ),
    ),
)
@pytest.mark.parametrize("section", ("mqtt", "kafka"))
def test_a_file_that_cannot_be_used_is_named(
    folder: Path, section: str, files: dict[str, str], words: str
) -> None:
    table = {key: str(folder / name) for key, name in files.items()}
    how = {"url": "mqtts://h"} if section == "mqtt" else {"security_protocol": "SSL"}
    with pytest.raises(SettingsError, match=section + words) as caught:
        check_files(made(**{section: {**how, **table}}))
    assert "s3cret" not in str(caught.value)


def test_both_kafka_clients_are_told_the_same(folder: Path) -> None:
    names = {
        "ca_file": str(folder / "ca.pem"),
        "cert_file": str(folder / "client.pem"),
        "key_file": str(folder / "client.pem"),
        "password_file": str(folder / "password"),
    }
    settings = made(kafka={**SASL, **names})
    assert kafka_access(settings).librdkafka() == {
        "bootstrap.servers": settings.brokers,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": names["ca_file"],
        "ssl.certificate.location": names["cert_file"],
        "ssl.key.location": names["key_file"],
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "s3cret",
    }
    other = kafka_python_security(settings)
    assert isinstance(other.pop("ssl_context"), ssl.SSLContext)
    assert other == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "s3cret",
    }
    assert kafka_access(made()).librdkafka() == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "PLAINTEXT",
    }
    assert kafka_python_security(made()) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("name", "words"),
    (("none", "cannot be read: No such"), ("empty", "is empty"), ("latin-1", "is not UTF-8")),
)
def test_a_password_that_cannot_be_read_is_said_without_it(
    folder: Path, name: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        read_secret("kafka.password_file", str(folder / name))
    assert str(caught.value).startswith(f"kafka.password_file = '{folder / name}'")
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None or "s3cr" not in str(caught.value.__cause__)


def test_only_the_last_line_end_of_a_password_file_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "password"
    for written, read in ((b" a b \n", " a b "), (b"ab\r\n", "ab"), (b"ab\n\n", "ab\n")):
        path.write_bytes(written)
        assert read_secret("kafka.password_file", str(path)) == read


def test_check_config_shows_the_name_of_a_password_file_and_not_what_is_in_it(
    folder: Path, tmp_path: Path
) -> None:
    password = str(folder / "password")
    path = tmp_path / "bridge.toml"
    path.write_text(
        f'[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\nusername = "u"\n'
        f'password_file = "{password}"\n[mqtt]\nusername = "u"\npassword_file = "{password}"\n'
    )
    checked = run("check-config", "--config", str(path))
    assert checked.returncode == 0
    assert f"kafka.password_file = {password}" in checked.stdout
    path.write_text('[kafka]\npassword = "s3cret"\n')
    wrong = run("check-config", "--config", str(path))
    assert wrong.returncode == 2
    assert "did you mean kafka.password_file?" in wrong.stderr
    assert "s3cret" not in checked.stdout + checked.stderr + wrong.stdout + wrong.stderr


@pytest.mark.parametrize(
    ("words", "meaning"),
    (
        ("[Errno 111] Connection refused", None),
        ("SSL connection closed by peer: connecting to a PLAINTEXT broker listener?", None),
        ("certificate verify failed: Hostname mismatch, …", "another host name than the one in"),
        ("certificate verify failed: certificate has expired", "has expired"),
        ("certificate verify failed: self-signed certificate", "not signed by an authority in"),
        ("tlsv13 alert certificate required", "kafka.cert_file, kafka.key_file"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "does not speak TLS at this port"),
        ("SASL authentication error: …", "kafka.username with the password in kafka.password_file"),
    ),
)
def test_a_refusal_is_told_from_an_absence(words: str, meaning: str | None) -> None:
    found = refusal("kafka", words)
    assert found is None if meaning is None else found is not None and meaning in found


def test_librdkafka_says_that_a_certificate_is_not_trusted_in_two_ways_that_mean_one_thing() -> (
    None
):
    first = (
        "error:0A000086:SSL routines::certificate verify failed: broker certificate could not be"
    )
    said = [refusal("kafka", f"{first} verified, …"), refusal("kafka", first.partition(": b")[0])]
    assert len({sentence.partition(": ")[0] for sentence in said if sentence}) == 1


def test_what_changes_with_each_attempt_is_left_out_of_a_refusal() -> None:
    words = "SASL authentication error: no (after 304ms in state AUTH_REQ)"
    assert refusal("kafka", words) == refusal("kafka", words.replace("304", "312"))


def test_a_refusal_is_logged_once_also_of_a_broker_that_was_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "isotherm.bridge")
    kafka = Availability("kafka", Log("bridge"))
    kafka.lost("connection refused")
    kafka.lost("no such user", refused=True)
    kafka.lost("no such user", refused=True)
    kafka.lost("connection refused")
    kafka.back()
    kafka.lost("no such user", refused=True)
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for kafka",
        "kafka refuses this bridge",
        "kafka connected",
        "kafka refuses this bridge",
    ]
