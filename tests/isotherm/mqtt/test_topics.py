from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.mqtt.topics import (
    ALL_READINGS,
    ANALYTICS_SUFFIX,
    DEAD_LETTER_SUFFIX,
    KAFKA_READINGS,
    POSITIONS_SUFFIX,
    SHARDS,
    is_device,
    readings_topic,
    shard,
    status_topic,
)


@pytest.mark.parametrize(
    ("device", "expected"),
    (
        # CRC-32 (IEEE 802.3) of the UTF-8 name, modulo 64; "123456789" is the CRC's check value.
        ("123456789", 0xCBF43926 % 64),
        ("a", 0xE8B7BE43 % 64),
        ("", 0),
        ("pi-porch", 0xAC353B8D % 64),
        ("Grün", 0x9C549EA1 % 64),
    ),
)
def test_shards_never_move(device: str, expected: int) -> None:
    assert shard(device) == expected


@given(st.text(st.characters(codec="utf-8")))
def test_shards_are_0_to_63(device: str) -> None:
    assert 0 <= shard(device) < SHARDS == 64


def test_devices_spread_over_all_shards() -> None:
    assert {shard(f"pi-{number}") for number in range(1000)} == set(range(64))


def test_topic_names() -> None:
    # Written out: other people's subscriptions and ACLs hold these very words.
    assert readings_topic("a") == "isotherm/v1/readings/03/a"
    assert status_topic("a") == "isotherm/v1/status/a"
    assert ALL_READINGS == "isotherm/v1/readings/#"
    assert KAFKA_READINGS == "iotmsgs"
    assert KAFKA_READINGS + DEAD_LETTER_SUFFIX == "iotmsgs.dead-letter"
    assert KAFKA_READINGS + ANALYTICS_SUFFIX == "iotmsgs.analytics"
    assert KAFKA_READINGS + POSITIONS_SUFFIX == "iotmsgs.bridge"


@pytest.mark.parametrize("device", ("pi-porch", "a b", "Grün", "温度計", "$x", "x" * 128))
def test_devices(device: str) -> None:
    assert is_device(device)
    assert readings_topic(device).endswith(f"/{device}")


@pytest.mark.parametrize("device", ("", "a/b", "a+", "#", "a\n", "\0", "\ud800", "x" * 129))
def test_no_devices(device: str) -> None:
    assert not is_device(device)
    for topic in (readings_topic, status_topic):
        with pytest.raises(ValueError, match="use 1 to 128 printable characters"):
            topic(device)
