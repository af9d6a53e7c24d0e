from __future__ import annotations

import pytest

from bridge.mqtt.filters import first_overlap, overlap


@pytest.mark.parametrize(
    ("one", "two", "both"),
    (
        ("a", "a", True),
        ("a", "b", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a", False),
        ("a/+", "a/b", True),
        ("a/+/c", "a/b/+", True),
        ("a/+/c", "a/b/d", False),
        ("+/b", "a/+", True),
        ("#", "a/b", True),
        ("a/b/#", "a/c/#", False),
        ("a/", "a", False),
        ("a//b", "a/+/b", True),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("$share/g/a/#", "a/b", True),
        ("$share/g/a/#", "$share/h/a/b", True),
        ("$share/g/a", "$share/g/b", False),
        ("isotherm/v1/readings/#", "isotherm/v1/readings/07/#", True),
        ("isotherm/v1/readings/06/#", "isotherm/v1/readings/07/#", False),
    ),
)
def test_two_filters_overlap_if_one_topic_matches_both(one: str, two: str, *, both: bool) -> None:
    assert overlap(one, two) == overlap(two, one) == both


def test_the_first_two_that_overlap_are_named() -> None:
    assert first_overlap(["a", "b/#", "c", "b/1"]) == ("b/#", "b/1")
    assert first_overlap(["a", "a"]) == ("a", "a")
    assert first_overlap(["a", "b"]) is None
