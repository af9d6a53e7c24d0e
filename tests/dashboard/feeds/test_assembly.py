from __future__ import annotations

import json
from typing import Any

import pytest

from aggregator.sinks.kafka import records
from dashboard.feeds.assembly import MOST_BYTES, MOST_OPEN, PATIENCE_S, Assembly
from dashboard.feeds.incoming import problem, read
from isotherm.contract.event_time import format_event_time
from tests.dashboard.support.fleet import snapshot


def parts(batch: int) -> dict[str, dict[str, Any]]:
    return {key.decode(): json.loads(value) for key, value in records(snapshot(batch))}


def test_the_first_waits_for_scopes_that_nobody_knows_of_yet() -> None:
    assembly = Assembly()
    one = parts(1)
    assembly.add(one["since_start"], 0.0)
    assert assembly.take(PATIENCE_S / 2) == []
    assembly.add(one["window"], PATIENCE_S / 2)
    (found,) = assembly.take(PATIENCE_S)
    assert found["scopes"] == {**one["window"]["scopes"], **one["since_start"]["scopes"]}


def test_the_next_leaves_as_soon_as_it_is_whole() -> None:
    assembly = Assembly()
    for part in parts(1).values():
        assembly.add(part, 0.0)
    assert len(assembly.take(PATIENCE_S)) == 1
    two = parts(2)
    assembly.add(two["window"], 10.0)
    assert assembly.take(10.0) == []
    assembly.add(two["since_start"], 10.0)
    assert [found["batch_id"] for found in assembly.take(10.0)] == [2]


def test_partitions_that_are_read_one_after_the_other_give_the_order_of_time() -> None:
    assembly = Assembly()
    several = [parts(batch) for batch in (1, 2, 3)]
    for scope in ("window", "since_start"):
        for one in several:
            assembly.add(one[scope], 0.0)
    found = assembly.take(PATIENCE_S)
    assert [one["batch_id"] for one in found] == [1, 2, 3]
    assert all(set(one["scopes"]) == {"window", "since_start"} for one in found)


def test_a_scope_that_comes_late_comes_with_those_that_were_there() -> None:
    assembly = Assembly()
    one = parts(1)
    assembly.add(one["window"], 0.0)
    assert [set(found["scopes"]) for found in assembly.take(1.0)] == [{"window"}]
    assembly.add(one["since_start"], 2.0)
    assert [set(found["scopes"]) for found in assembly.take(2.0)] == [{"window", "since_start"}]


@pytest.mark.parametrize(
    "found",
    (
        None,
        [],
        {},
        {"schema": "isotherm.snapshot/2"},
        {"schema": "isotherm.snapshot/1"},
        {"schema": "isotherm.snapshot/1", "window": {"end": 3}, "scopes": {}},
    ),
)
def test_what_is_no_snapshot_is_said(found: object) -> None:
    assert problem(found)


def test_what_the_job_writes_is_one() -> None:
    assert all(problem(part) is None for part in parts(1).values())


@pytest.mark.parametrize(
    "change",
    (
        {"window": {"end": "yesterday"}},
        {"scopes": {"window": None}},
        {"scopes": {"window": {}}},
        {"scopes": {"window": {"total_messages": 1, "average_temperature_by_state": [["CA"]]}}},
        {
            "scopes": {
                "window": {"total_messages": 1, "average_temperature_by_state": [["CA", "1"]]}
            }
        },
    ),
)
def test_what_would_fail_behind_the_feed_is_said(change: dict[str, object]) -> None:
    assert problem({**parts(1)["window"], **change})


@pytest.mark.parametrize("text", (b"", b"{", b"[" * 200_000, b"\xff", b'{"a": NaN}'))
def test_text_that_has_no_snapshot_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        read(text)


def test_many_that_wait_are_bounded_and_the_oldest_go_on() -> None:
    assembly = Assembly()
    whole = parts(1)["window"]
    for number in range(MOST_OPEN):
        end = format_event_time(number * 10**9)
        assembly.add(whole | {"window": {"end": end}, "batch_id": number}, 100.0)
    assert assembly.full
    found = assembly.take(100.0)
    assert [one["batch_id"] for one in found] == list(range(MOST_OPEN // 2 + 1))
    assert not assembly.full


def test_what_waits_is_bounded_in_bytes_too() -> None:
    assembly = Assembly()
    assembly.add(parts(1)["window"], 100.0, MOST_BYTES)
    assert assembly.full
    assert len(assembly.take(100.0)) == 1
    assembly.add(parts(2)["window"], 100.0, 1)
    assert assembly.take(100.0) != []
