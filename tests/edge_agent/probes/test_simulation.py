"""Simulated temperatures: the reference workload and the daily wave."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from itertools import pairwise

import pytest

from edge_agent.probes.simulation import FIRST, START, STEP, UTC_OFFSET, Wave, Workload, guid, lines
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.contract.reading import Reading, encode
from isotherm.contract.states import STATES
from isotherm.contract.verdict import decode, judge

GOLDEN = "266d4a9e98e8190739d8f91fa29f2fa6300029a5922a7a41c16e8afad709db8b"


def test_the_default_workload_keeps_its_bytes_for_ever() -> None:
    digest = hashlib.sha256("".join(lines(Workload(), 10_000)).encode())
    assert digest.hexdigest() == GOLDEN


def test_each_line_is_a_reading_in_the_form_of_encode() -> None:
    for line in lines(Workload(sensors=50, rate=0.7), 2_000):
        reading = judge(line[:-1].encode())
        assert isinstance(reading, Reading)
        assert encode(reading) + b"\n" == line.encode()


def test_without_origin_the_plain_reference_fields_are_left() -> None:
    plain = [decode(line.encode()) for line in lines(Workload(origin=False), 500)]
    full = [decode(line.encode()) for line in lines(Workload(), 500)]
    assert all(reading.origin is None for reading in plain)
    assert [r.temperature for r in plain] == [r.temperature for r in full]
    line = next(lines(Workload(origin=False), 1))
    assert line.encode() == encode(plain[0]) + b"\n"


def test_ten_thousand_readings_show_nearly_all_of_the_population() -> None:
    sensors = {decode(line.encode()).guid for line in lines(Workload(), 10_000)}
    assert 2_070 <= len(sensors) <= 2_100


def test_a_sensor_keeps_its_state_counts_without_gaps_and_walks_in_small_steps() -> None:
    by_guid: dict[str, list[Reading]] = defaultdict(list)
    for line in lines(Workload(sensors=40, seed=3), 8_000):
        reading = decode(line.encode())
        by_guid[reading.guid].append(reading)
    assert len(by_guid) == 40
    for readings in by_guid.values():
        assert len({reading.state for reading in readings}) == 1
        assert [r.origin.seq for r in readings if r.origin] == list(range(1, len(readings) + 1))
        for before, after in pairwise(readings):
            assert abs(after.temperature - before.temperature) <= STEP + 1e-9


def test_a_walk_begins_near_the_mean_and_never_leaves_the_contract() -> None:
    readings = [decode(line.encode()) for line in lines(Workload(sensors=1), 8_000)]
    temperatures = [reading.temperature for reading in readings]
    assert max(temperatures) - min(temperatures) <= 100.1
    assert abs(temperatures[0] - min(temperatures)) <= 50 + FIRST + 0.1


def test_event_times_advance_by_the_rate_from_the_start() -> None:
    times = [decode(line.encode()).event_time for line in lines(Workload(rate=4.0), 9)]
    assert times == [START + number * NS_PER_SECOND // 4 for number in range(9)]


def test_a_larger_count_begins_with_the_same_lines() -> None:
    assert list(lines(Workload(), 900))[:300] == list(lines(Workload(), 300))


def test_whatever_changes_the_readings_changes_the_epoch() -> None:
    workloads = [
        Workload(),
        Workload(seed=1),
        Workload(sensors=10),
        Workload(rate=2.0),
        Workload(start=0),
    ]
    assert len({workload.epoch for workload in workloads}) == len(workloads)


def test_guids_count_letters_first_and_grow() -> None:
    assert [guid(index) for index in (0, 25, 26, 2_105, 2_600)] == [
        "0-ZZZ12345678-00A",
        "0-ZZZ12345678-00Z",
        "0-ZZZ12345678-01A",
        "0-ZZZ12345678-80Z",
        "0-ZZZ12345678-100A",
    ]


HOUR = 3_600 * 10**9


def at(state: str, hours: float, *, swing: float = 8.0, day: float = 86_400.0) -> float:
    """The wave so many hours after midnight UTC."""
    return Wave(state, swing=swing, day=day, clock=lambda: int(hours * HOUR))()


def test_every_state_has_its_clock() -> None:
    assert set(UTC_OFFSET) == set(STATES)


@pytest.mark.parametrize(("state", "hours"), (("NY", 20), ("CA", 23), ("HI", 25)))
def test_it_is_warmest_at_three_in_the_afternoon_there(state: str, hours: float) -> None:
    assert at(state, hours) == pytest.approx(8.0)
    assert at(state, hours + 12) == pytest.approx(-8.0)
    assert at(state, hours + 6) == pytest.approx(0.0, abs=1e-6)


def test_a_short_day_turns_as_a_long_one() -> None:
    for hours in (0, 5, 17):
        assert at("CO", hours / 72, day=1_200) == pytest.approx(at("CO", hours))


def test_without_a_swing_it_is_flat() -> None:
    assert at("CO", 3, swing=0.0) == 0.0
