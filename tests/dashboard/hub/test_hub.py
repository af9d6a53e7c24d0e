from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from aggregator.analytics.snapshot import to_json
from dashboard.feeds.base import Source
from dashboard.hub.event import event_of
from dashboard.hub.hub import Hub
from dashboard.hub.recent import Ring
from dashboard.hub.streams import ROOM, Stream
from dashboard.metrics import age
from isotherm.contract.event_time import format_event_time
from isotherm.log import Log
from tests.dashboard.support.fleet import snapshot

UP = Source(kind="file", name="s.jsonl", up=True, why="")


def made(batch: int, *, ago: float = 0.0, idle: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(snapshot(batch, ago=ago, idle=idle)))
    return found


@pytest.fixture
def hub() -> Hub:
    return Hub(UP, stale_after=10.0, log=Log("dashboard"))


def read(stream: Stream) -> list[dict[str, str]]:
    """The events that wait."""
    stream.close()

    async def all_of_it() -> bytes:
        text = b""
        while (chunk := await stream.next(1.0)) is not None:
            text += chunk
        return text

    events = asyncio.run(all_of_it()).decode().split("\n\n")[:-1]
    return [dict(line.split(": ", 1) for line in event.split("\n")) for event in events]


def test_a_stream_begins_with_the_newest(hub: Hub) -> None:
    hub.snapshot(made(1, ago=6))
    hub.snapshot(made(2, ago=3))
    (event,) = read(hub.join(None))
    data = json.loads(event["data"])
    assert (event["event"], data["snapshot"]["batch_id"]) == ("snapshot", 2)
    assert event["id"] == data["id"]
    assert data == json.loads(hub.current()) | {"now": data["now"]}


def test_before_the_first_snapshot_a_stream_says_so(hub: Hub) -> None:
    (event,) = read(hub.join(None))
    assert "id" not in event
    assert json.loads(event["data"])["snapshot"] is None


def test_a_stream_that_was_lost_gets_all_that_it_missed_in_order(hub: Hub) -> None:
    for batch in (1, 2):
        hub.snapshot(made(batch, ago=300 - 3 * batch))
    known = hub.ring.newest
    assert known is not None
    for batch in range(3, ROOM + 20):
        hub.snapshot(made(batch, ago=300 - 3 * batch))
    events = read(hub.join(known.id))
    batches = [json.loads(event["data"])["snapshot"]["batch_id"] for event in events]
    assert batches == list(range(3, ROOM + 20))


def test_one_that_missed_nothing_gets_nothing_again(hub: Hub) -> None:
    hub.snapshot(made(1))
    newest = hub.ring.newest
    assert newest is not None
    (event,) = read(hub.join(newest.id))
    assert event["event"] == "source"


def test_an_id_that_nobody_knows_begins_anew(hub: Hub) -> None:
    hub.snapshot(made(1))
    events = read(hub.join("9-nothing"))
    assert [event["event"] for event in events] == ["reset", "snapshot"]


def test_an_id_does_not_depend_on_the_process() -> None:
    one = made(3)
    assert event_of(one, 1).id == event_of(json.loads(json.dumps(one)), 2).id


def test_what_comes_again_after_a_crash_of_the_job_is_left_out(hub: Hub) -> None:
    hub.snapshot(made(1, ago=9))
    hub.snapshot(made(2, ago=6))
    hub.snapshot(made(2, ago=3))
    hub.snapshot(made(2, ago=0, idle=True))
    assert (hub.snapshots, hub.doubles) == (3, 1)


def test_batches_of_a_restored_checkpoint_come_again_with_newer_times_and_are_shown(
    hub: Hub,
) -> None:
    for place, batch in enumerate((498, 499, 500, 400, 401, 401, 402)):
        hub.snapshot(made(batch, ago=60 - 3 * place))
    assert (hub.snapshots, hub.doubles) == (6, 1)
    assert json.loads(hub.current())["snapshot"]["batch_id"] == 402


def test_what_is_read_again_from_the_topic_is_not_shown_again(hub: Hub) -> None:
    told = [made(batch, ago=60 - 3 * place) for place, batch in enumerate((9, 10, 3, 4))]
    for one in told:
        hub.snapshot(one)
    # The ring may be shorter than what a feed reads back.
    hub.ring = Ring()
    for one in told:
        hub.snapshot(one)
    assert (hub.snapshots, hub.doubles) == (4, 4)


def test_a_job_whose_clock_was_set_back_is_shown_all_the_same(hub: Hub) -> None:
    for batch, ago in ((1, 0.0), (2, 3600.0), (3, 3597.0), (3, 3594.0)):
        hub.snapshot(made(batch, ago=ago))
    assert (hub.snapshots, hub.doubles) == (3, 1)


def test_a_snapshot_that_fails_behind_the_check_is_set_aside_and_the_next_is_shown(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "isotherm.dashboard")
    faults: tuple[dict[str, Any], ...] = (
        {"query_id": "\ud800"},
        {"scopes": None},
        {"window": {}},
    )
    for fault in faults:
        hub.snapshot(made(1, ago=3) | fault)
    assert hub.broken_records == 3
    assert "the last record is no snapshot" in hub.unwell
    assert len(caplog.records) == 1
    hub.snapshot(made(2))
    assert (hub.snapshots, hub.unwell) == (1, "")


def test_a_stream_that_missed_too_much_begins_anew(hub: Hub) -> None:
    hub.snapshot(made(1, ago=3000))
    known = hub.ring.newest
    assert known is not None
    for batch in range(2, 12):
        hub.snapshot(made(batch, ago=3000 - batch) | {"more": "x" * 500_000})
    events = read(hub.join(known.id))
    assert [event["event"] for event in events] == ["reset", "snapshot"]


def test_one_from_the_future_is_as_old_as_it_is_here() -> None:
    now = time.time_ns()
    hub = Hub(UP, stale_after=10.0, log=Log("dashboard"), clock=lambda: now)
    hub.snapshot(made(1, ago=-9e8))
    now += 60 * 10**9
    assert age(hub) == pytest.approx(60)


def test_lines_are_kept_in_a_bounded_number_of_steps(hub: Hub) -> None:
    one = made(1)
    for number in range(2_000):
        end = format_event_time((1_800_000_000 + 600 * number) * 10**9)
        hub.trend.add(one | {"window": {"end": end}}, 1_800_000_000.0)
    assert len(hub.trend._steps) <= 720  # noqa: SLF001 what it keeps is what this is about
    found = hub.trend.history(1_800_000_005.0, 1)
    assert found["totals"]["messages"][-1] == 31_205


def test_each_open_stream_gets_the_same_bytes(hub: Hub) -> None:
    streams = [hub.join(None) for _ in range(3)]
    hub.snapshot(made(1))
    found = [read(stream)[-1] for stream in streams]
    assert found[0] == found[1] == found[2]


def test_a_reader_that_does_not_read_is_cut_off_and_counted(hub: Hub) -> None:
    slow, quick = hub.join(None), hub.join(None)
    for batch in range(ROOM + 1):
        hub.snapshot(made(batch, ago=600 - batch))
        asyncio.run(quick.next(1.0))
    assert slow.cut
    assert not quick.cut
    # Whoever sends to it may find out once more.
    hub.streams.give_up(slow)
    assert (hub.streams.cut, len(hub.streams)) == (1, 1)


def test_a_source_that_goes_and_comes_is_told_and_logged_once(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "isotherm.dashboard")
    stream = hub.join(None)
    down = Source(kind="file", name="s.jsonl", up=False, why="gone")
    for source in (down, down, UP, UP):
        hub.source(source)
    events = read(stream)[1:]
    assert [json.loads(event["data"])["up"] for event in events] == [False, True]
    assert [record.message for record in caplog.records] == ["source down", "source up"]


def test_broken_records_are_counted_and_the_first_in_a_row_is_logged(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "isotherm.dashboard")
    for _ in range(3):
        hub.broken("line 3", "it is not JSON")
    assert hub.broken_records == 3
    assert len(caplog.records) == 1


def counted(call: Any) -> tuple[Any, list[Any]]:
    """A function that notes its calls."""
    calls: list[Any] = []

    def noted(*arguments: Any) -> Any:
        calls.append(arguments)
        return call(*arguments)

    return noted, calls


def test_millions_of_broken_records_are_one_thing_that_waits(hub: Hub) -> None:
    async def flood() -> None:
        loop = asyncio.get_running_loop()
        hub.attach(loop)
        loop.call_soon_threadsafe, calls = counted(loop.call_soon_threadsafe)  # type: ignore[method-assign]  # to count what waits
        for number in range(100_000):
            hub.broken(f"line {number}", "it is not JSON")
        hub.snapshot(made(1, ago=3))
        hub.broken("line 100001", "it is not JSON")
        assert len(calls) == 3
        await asyncio.sleep(0)

    asyncio.run(flood())
    assert (hub.broken_records, hub.snapshots) == (100_001, 1)
    # It came after the good one.
    assert "line 100001" in hub.unwell


def test_a_feed_that_reads_back_waits_for_the_server(hub: Hub) -> None:
    def feed() -> None:
        for batch in range(600):
            hub.snapshot(made(batch, ago=2000 - batch))

    async def read_back() -> None:
        hub.attach(asyncio.get_running_loop())
        await asyncio.wait_for(asyncio.to_thread(feed), 60)
        await asyncio.sleep(0)

    asyncio.run(read_back())
    assert hub.snapshots == 600


def test_consumers_get_each_once() -> None:
    found: list[int] = []
    hub = Hub(
        UP,
        stale_after=10.0,
        log=Log("dashboard"),
        consumers=[lambda one, _received: found.append(one["batch_id"])],
    )
    for batch in (1, 2, 2):
        hub.snapshot(made(batch))
    assert found == [1, 2]


def test_the_trend_has_the_last_value_of_each_step_and_null_where_none_came(hub: Hub) -> None:
    now = 1_800_000_005.0
    for batch, end, warmer in ((1, now - 40, 1.0), (2, now - 6, 2.0), (3, now, 3.0)):
        one = json.loads(to_json(snapshot(batch, warmer=warmer)))
        one["window"]["end"] = format_event_time(round(end) * 10**9)
        hub.trend.add(one, now)
    found = hub.trend.history(now, minutes=1)
    assert found["step_s"] == 10
    assert len(found["times"]) == 6
    assert found["times"][-1] == "2027-01-15T08:00:00.000000Z"
    texas = found["scopes"]["window"]["TX"]
    assert [value is not None for value in texas] == [False, True, False, False, True, True]
    assert "WY" not in found["scopes"]["window"]
    assert found["totals"]["messages"][-1] == 31_204 + 3


def test_one_that_is_read_again_with_its_scopes_in_another_order_is_not_sent_again(
    hub: Hub,
) -> None:
    first = made(1, ago=3, idle=True)
    hub.snapshot(first)
    hub.snapshot(made(2))
    stream = hub.streams.open()
    hub.snapshot({**first, "scopes": dict(reversed(first["scopes"].items()))})
    assert (read(stream), hub.snapshots, hub.doubles) == ([], 2, 1)


def test_one_that_is_read_again_in_part_loses_no_scope(hub: Hub) -> None:
    whole = made(1)
    hub.snapshot(whole)
    hub.snapshot({**whole, "scopes": {"window": whole["scopes"]["window"]}})
    assert set(json.loads(hub.current())["snapshot"]["scopes"]) == {"window", "since_start"}


def test_a_scope_that_comes_late_is_not_counted_twice_nor_shown_for_the_newest(hub: Hub) -> None:
    whole = made(1, ago=3, idle=True)
    hub.snapshot({**whole, "scopes": {"window": whole["scopes"]["window"]}})
    hub.snapshot(made(2))
    stream = hub.streams.open()
    hub.snapshot(whole)
    assert read(stream) == []
    messages = hub.trend.history(hub.clock() / 1e9)["totals"]["messages"]
    assert sum(filter(None, messages)) == 2 * 31_204 + 1 + 2
