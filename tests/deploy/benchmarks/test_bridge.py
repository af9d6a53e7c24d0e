from __future__ import annotations

import json

import pytest

from benchmarks.bridge.publisher import TOPIC, chunks
from benchmarks.bridge.readings import FIRST, SENSORS, messages, readings
from benchmarks.bridge.verify import Verdict, judge
from bridge.mqtt.framing import Framer
from deploy.errors import ProgramFailedError
from isotherm.contract.verdict import decode


def records(count: int) -> list[tuple[int, bytes, bytes]]:
    """What a good forwarder leaves in Kafka: partition, key, value."""
    found = []
    for value in readings(count):
        key = json.loads(value)["guid"].encode()
        found.append((key[-2] % 4, key, value))
    return found


def test_the_readings_are_readings_of_one_size_that_say_which_they_are() -> None:
    made = list(readings(SENSORS + 2))
    assert {len(each) for each in made} == {201}
    assert [json.loads(each)["n"] - FIRST for each in made] == list(range(len(made)))
    assert decode(made[0]).guid == decode(made[SENSORS]).guid != decode(made[1]).guid


def test_the_publisher_sends_mqtt_packets_with_all_readings() -> None:
    payloads = list(messages(1_000, 1)) + list(messages(500, 50))
    stream = b"".join(chunks(payloads))
    frames, others = Framer(properties=False).feed(stream)
    assert [frame.payload for frame in frames] == payloads
    assert {frame.topic for frame in frames} == {TOPIC}
    assert [frame.mid for frame in frames] == list(range(1, len(payloads) + 1))
    assert others == b""


def test_a_good_run_is_found_good_whatever_partition_comes_first() -> None:
    found = records(3 * SENSORS)
    found.sort(key=lambda record: record[0])
    assert judge(found, 3 * SENSORS) == Verdict(0, 0, 0, 0)


def test_what_is_lost_doubled_disordered_or_wrong_is_found() -> None:
    count = 3 * SENSORS
    good = records(count)
    assert judge(good[:-5], count).lost == 5
    assert judge(good + good[-3:], count).doubled == 3
    swapped = good[:]
    swapped[0], swapped[SENSORS] = swapped[SENSORS], swapped[0]
    assert judge(swapped, count).disordered == 1
    elsewhere = [(record[0] + (n == count - 1), *record[1:]) for n, record in enumerate(good)]
    assert judge(elsewhere, count).wrong == 1
    assert judge([(0, b"other", good[0][2]), *good[1:]], count).wrong == 1
    assert not judge(good[:-5], count).good


def test_a_run_that_left_nothing_at_all_is_an_error() -> None:
    with pytest.raises(ProgramFailedError, match="nothing arrived"):
        judge([], 1)
