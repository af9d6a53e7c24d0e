from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bridge.settings import PREFIX, BridgeSettings
from isotherm.contract import SettingsError
from isotherm.settings.table import load
from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def made(**flags: Any) -> BridgeSettings:
    return load(BridgeSettings, PREFIX, flags=flags)


def test_the_defaults_are_a_bridge_on_this_machine() -> None:
    settings = made()
    assert (str(settings.mqtt), settings.brokers) == ("mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    assert settings.subscribe == ("isotherm/v1/readings/#",)
    assert settings.dead_letter_topic == "iotmsgs.dead-letter"


def test_the_dead_letter_topic_follows_the_topic() -> None:
    assert made(topic="t").dead_letter_topic == "t.dead-letter"
    assert made(topic="t", dead_letters="other").dead_letter_topic == "other"


@pytest.mark.parametrize(
    ("flags", "words"),
    (
        ({"mqtt": "127.0.0.1"}, r"--mqtt = '127.0.0.1': write it like mqtt://HOST:PORT"),
        ({"mqtt": "mqtt://u:secret@h"}, "a password does not belong in an address"),
        ({"kafka": "h:0"}, r"--kafka = 'h:0'.*1 to 65535"),
        ({"subscribe": ("a#",)}, "is no topic filter"),
        ({"subscribe": ("a/#/b",)}, "is no topic filter"),
        ({"receive_maximum": "0"}, "--receive-maximum = '0': write a whole number from 1 to 65535"),
        ({"shards": "0-63x"}, "--shards = '0-63x': write A-B within 0-63, in whole groups of 4"),
        ({"shards": "0-64"}, "write A-B within 0-63"),
        ({"shards": "0-1"}, "in whole groups of 4"),
        ({"shards": "32-31"}, "write A-B within 0-63"),
        ({"kafka_client": "java"}, "write one of: auto, librdkafka, kafka-python"),
    ),
)
def test_a_wrong_value_is_named_with_its_fix(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        made(**flags)


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    settings = load(
        BridgeSettings, PREFIX, file={"mqtt": {"username": "u", "password_file": str(path)}}
    )
    assert settings.password() == "s3cret"
    path.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.password()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_sample_file_is_a_valid_config(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(run("sample-config").stdout)
    checked = run("check-config", "--config", str(path))
    assert checked.returncode == 0
    assert "kafka.topic = iotmsgs" in checked.stdout


def test_a_wrong_config_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text('[kafka]\ntopics = "x"\n')
    checked = run("check-config", "--config", str(path))
    assert checked.returncode == 2
    assert checked.stderr == (
        "isotherm-bridge: kafka.topics = 'x': is not a setting; did you mean kafka.topic?\n"
    )


@pytest.mark.parametrize(
    ("absent", "words"),
    (
        (("paho",), "isotherm-bridge needs paho"),
        (("click",), "isotherm-bridge needs click"),
        (("prometheus_client",), "isotherm-bridge needs prometheus_client"),
        (("kafka", "confluent_kafka"), "no Kafka client is installed"),
    ),
)
def test_a_missing_package_is_named_with_the_command_that_mends_it(
    absent: tuple[str, ...], words: str
) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); sys.argv[1:] = ['run'];"
        "from bridge.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3
    assert words in ended.stderr
    assert "pip install 'isotherm[bridge]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("value", ("500ms", "1.5s", "60000d", "49711d", "4294967296s"))
def test_a_session_expiry_that_mqtt_cannot_say_is_refused(value: str) -> None:
    # MQTT 5.0, section 3.1.2.11.2: a four byte integer of seconds, and 0 keeps no session.
    with pytest.raises(SettingsError, match=rf"session_expiry = .*{value}.*: write whole seconds"):
        load(BridgeSettings, PREFIX, file={"mqtt": {"session_expiry": value}})


def test_the_longest_and_the_shortest_session_expiry() -> None:
    for value, seconds in (("1s", 1), ("1000ms", 1), ("49710d", 49_710 * 86_400)):
        made = load(BridgeSettings, PREFIX, file={"mqtt": {"session_expiry": value}})
        assert made.session_expiry == seconds


def test_filters_that_overlap_are_refused_by_name() -> None:
    with pytest.raises(
        SettingsError, match=r"mqtt.subscribe = 'a/\+': matches topics that a/b match"
    ):
        load(BridgeSettings, PREFIX, flags={"subscribe": ("x", "a/+", "a/b")})
    with pytest.raises(SettingsError, match="a message once for each"):
        load(BridgeSettings, PREFIX, flags={"subscribe": ("$share/g/a/#", "a/b")})


@pytest.mark.parametrize("name", ("$share/g", "$share//a", "$share/g/", "a\0b"))
def test_a_filter_that_no_broker_takes_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="subscribe"):
        load(BridgeSettings, PREFIX, flags={"subscribe": (name,)})
