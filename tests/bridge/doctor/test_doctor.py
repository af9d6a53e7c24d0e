from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.doctor.kafka import KafkaFacts, check_kafka
from bridge.doctor.mqtt import DROPPED_TOPIC, VERSION_TOPIC, MqttFacts, check_mqtt
from isotherm.doctor.clock import check_clock
from isotherm.doctor.finding import Finding, Mark, exit_code, fail, ok, warn
from isotherm.doctor.topic import TopicFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

GOOD_TOPIC = TopicFacts(8, 3, 3, 0, min_in_sync=2)


def mqtt(version: str = "5", **facts: Any) -> list[Finding]:
    good = {"kept": True, "expiry": 600.0, "system": {VERSION_TOPIC: "mosquitto version 2.0.20"}}
    found = check_mqtt(
        MqttFacts(**{**good, **facts}),
        url="mqtt://h:1883",
        version=version,
        session_expiry=600.0,
        receive_maximum=1000,
    )
    return list(found)


def kafka(position_topic: str | None = "t.bridge", **facts: Any) -> list[Finding]:
    good: dict[str, Any] = {
        "version": "4.3",
        "nodes": ("h:9092",),
        "topics": dict.fromkeys(("t", "t.dead-letter", "t.bridge"), GOOD_TOPIC),
    }
    found = check_kafka(
        KafkaFacts(**{**good, **facts}),
        brokers="h:9092",
        topics=("t", "t.dead-letter"),
        position_topic=position_topic,
        session_expiry=600.0,
    )
    return list(found)


def bad(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(f.mark.value, f.check, f.sentence) for f in findings if f.mark is not Mark.OK]


def test_all_well_is_all_ok() -> None:
    assert bad(mqtt()) == bad(kafka()) == []
    assert exit_code([*mqtt(), *kafka()]) == 0


@pytest.mark.parametrize(
    ("facts", "mark", "check", "words"),
    (
        ({"unreachable": "Connection refused"}, "fail", "mqtt", "mqtt://h:1883: Connection refu"),
        ({"kept": False}, "fail", "mqtt session", "forgot a session"),
        ({"expiry": 60.0}, "warn", "mqtt session", "for 60 s, not for the 600 s"),
        ({"refused": ("a/#: Not authorized",)}, "fail", "mqtt filters", "a/#: Not authorized"),
        ({"lowered": ("a/#",)}, "fail", "mqtt filters", "only QoS 0 for a/#"),
        ({"window": 20}, "warn", "mqtt window", "max_inflight_messages 0"),
        ({"version": "3.1.1"}, "warn", "mqtt window", "no Receive Maximum"),
        ({"system": {VERSION_TOPIC: "mosquitto version 2.0.11"}}, "warn", "mqtt version", "window"),
        ({"system": {VERSION_TOPIC: "mosquitto version 2.0.2"}}, "warn", "mqtt version", "every q"),
        ({"system": {VERSION_TOPIC: "mosquitto version 2.0.16"}}, "warn", "mqtt version", "every"),
        ({"system": {DROPPED_TOPIC: "7"}}, "warn", "mqtt drops", "dropped 7 messages"),
    ),
)
def test_mqtt(facts: dict[str, Any], mark: str, check: str, words: str) -> None:
    [(found_mark, found_check, sentence)] = bad(mqtt(**facts))
    assert (found_mark, found_check) == (mark, check)
    assert words in sentence


@pytest.mark.parametrize(
    "text",
    (
        "mosquitto version 2.0.13",
        "mosquitto version 3.0.0",
        "EMQX 5",
        "mosquitto version " + "9" * 5_000 + ".0.0",
        "x" * 100_000,
        "\u0664" * 5_000,
    ),
)
def test_versions_without_a_known_fault(text: str) -> None:
    assert bad(mqtt(system={VERSION_TOPIC: text})) == []
    assert all(len(finding.sentence) < 300 for finding in mqtt(system={VERSION_TOPIC: text}))


@pytest.mark.parametrize("text", ("9" * 5_000, "\u0661", "-1", "1e9", ""))
def test_a_foreign_count_of_drops_is_not_believed(text: str) -> None:
    assert bad(mqtt(system={DROPPED_TOPIC: text})) == []


@pytest.mark.parametrize(
    ("change", "mark", "check", "words"),
    (
        (None, "fail", "kafka topic", "t does not exist"),
        (GOOD_TOPIC._replace(leaderless=2), "fail", "kafka topic", "2 partitions without"),
        (GOOD_TOPIC._replace(in_sync=1), "fail", "kafka topic", "takes nothing with acks=all"),
        (TopicFacts(8, 1, 1, 0, 1), "warn", "kafka copies", "acks=all means one copy"),
        (GOOD_TOPIC._replace(min_in_sync=1), "warn", "kafka copies", "set it to 2"),
        (GOOD_TOPIC._replace(min_in_sync=None), "warn", "kafka copies", "cannot be read"),
    ),
)
def test_topics(change: TopicFacts | None, mark: str, check: str, words: str) -> None:
    topics = dict.fromkeys(("t.dead-letter", "t.bridge"), GOOD_TOPIC)
    if change is not None:
        topics["t"] = change
    [(found_mark, found_check, sentence)] = bad(kafka(topics=topics))
    assert (found_mark, found_check) == (mark, check)
    assert words in sentence


def test_the_position_topic_may_be_missing_but_not_forbidden() -> None:
    topics = dict.fromkeys(("t", "t.dead-letter"), GOOD_TOPIC)
    assert bad(kafka(topics=topics)) == []
    [(mark, _check, sentence)] = bad(kafka(topics=topics, not_creatable="not allowed"))
    assert mark == "fail"
    assert sentence.endswith("cannot be made: not allowed")
    assert bad(kafka(position_topic=None, topics=topics, not_creatable="not allowed")) == []


def test_positions_must_outlive_the_session() -> None:
    short = GOOD_TOPIC._replace(retention_s=60.0)
    topics = {"t": GOOD_TOPIC, "t.dead-letter": GOOD_TOPIC, "t.bridge": short}
    assert "raise retention.ms" in bad(kafka(topics=topics))[0][2]


def test_no_transactions_is_a_failure_with_a_way_out() -> None:
    assert "--delivery at-least-once" in bad(kafka(no_transactions="not allowed"))[0][2]


def test_the_exit_code_is_that_of_the_worst() -> None:
    assert exit_code([ok("a", ""), warn("b", "")]) == 0
    assert exit_code([warn("a", ""), fail("b", "")]) == 1
    assert exit_code([fail("a", ""), fail("b", "", dependency=True)]) == 3
    assert exit_code(kafka(unreachable="no")) == exit_code(mqtt(unreachable="no")) == 3


def test_the_clock_is_never_more_than_a_warning() -> None:
    assert [check_clock(state, "times are wrong").mark for state in (True, False, None)] == [
        "ok",
        "warn",
        "warn",
    ]
