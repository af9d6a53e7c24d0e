from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.audit import Audit
from tests.aggregator.support.records import (
    BAD,
    assert_same,
    gap,
    oracle,
    reading,
    reasons,
    tallied,
)

RECORDS = st.one_of(
    st.sampled_from(BAD),
    st.builds(lambda count: gap("z", first=1, last=9, count=count), st.integers(1, 9)),
    st.builds(
        reading,
        guid=st.sampled_from("abcd"),
        state=st.sampled_from(("AK", "CA", "NV")),
        temperature=st.floats(-150, 310),
        seq=st.none() | st.integers(1, 5),
    ),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(RECORDS, max_size=30), min_size=1, max_size=3))
def test_equal_to_a_plain_count_over_any_partitions(partitions: list[list[bytes]]) -> None:
    found = tallied(*partitions)
    records = [record for partition in partitions for record in partition]
    assert_same(found.analytics, oracle(records))
    assert found.rejected == reasons(records)


def test_averages_stand_highest_first_and_ties_by_state() -> None:
    found = tallied([reading("a", "NV", 60.0), reading("b", "AK", 60.0), reading("c", "CA", 61.0)])
    assert found.analytics.average_temperature_by_state == (
        ("CA", 61.0),
        ("AK", 60.0),
        ("NV", 60.0),
    )


def test_a_sensor_in_two_states_counts_in_both_and_once_in_all() -> None:
    found = tallied([reading("a", "NV"), reading("a", "AK"), reading("a", "AK")]).analytics
    assert found.sensors_by_state == (("AK", 1), ("NV", 1))
    assert found.total_sensors == 1
    assert found.total_messages == 3


def test_two_epochs_of_a_sensor_are_one_sensor() -> None:
    found = tallied([reading(seq=1), reading(seq=1, epoch="00000000000000b2"), reading()])
    assert found.rows.num_rows == 3
    assert found.analytics.total_sensors == 1
    assert (found.audit.received, found.audit.duplicated) == (2, 0)


def test_a_sensor_split_over_partitions_is_one_sensor() -> None:
    found = tallied([reading(seq=1, temperature=1.0)], [reading(seq=3, temperature=2.0)])
    assert found.analytics.average_temperature_by_state == (("CA", 1.5),)
    assert found.analytics.sensors_by_state == (("CA", 1),)


def test_gaps_of_all_partitions_are_counted_beside_the_analytics() -> None:
    found = tallied(
        [reading(), gap(first=1, last=9, count=5)], [gap("g2", first=3, last=3, count=1)]
    )
    assert (found.audit.received, found.audit.explained) == (2, 6)
    assert (found.rejected, found.analytics.total_sensors) == ({}, 1)


def test_what_comes_twice_in_one_trigger_is_counted_and_stays_in_the_window() -> None:
    told = gap(first=1, last=9, count=5, seq=12)
    found = tallied([reading(seq=10), reading(seq=11), told, reading(seq=10)], [told])
    assert found.analytics.total_messages == 3
    assert found.audit == Audit(received=3, gaps=1, explained=5, duplicated=2)


def test_nothing_comes_to_nothing() -> None:
    found = tallied([])
    assert found.analytics == Analytics()
    assert found.rejected == {}
    assert found.event_time is None
