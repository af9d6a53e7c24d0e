"""A proof that cannot fail proves nothing: each thing that must not be is found."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any

import pytest

from isotherm import contract
from tests.aggregator.support.oracle import Oracle
from tests.aggregator.support.records import EPOCH, gap, reading
from tests.faults.chaos.journal import Made, Name
from tests.faults.chaos.verdict import (
    Evidence,
    Sent,
    Verdict,
    follows,
    judge,
    lanes,
    needless,
    unexplained,
)
from tests.support import Kept

LINES = [reading("g", temperature=60.0 + seq, seq=seq) for seq in range(1, 9)]
OTHERS = [reading("h", temperature=50.0 + seq, seq=seq) for seq in range(1, 5)]


def kept(value: Any, partition: int = 0, **headers: str) -> Kept:
    return Kept(
        b"key",
        value,
        {name: text.encode() for name, text in headers.items()},
        partition,
    )


def made_of(*lines: bytes) -> Made:
    made = Made(sent=defaultdict(list))
    for line in lines:
        found = contract.judge(line)
        assert not isinstance(found, contract.Rejection)
        assert found.origin is not None
        name = Name(found.guid, found.origin.epoch, found.origin.seq)
        made.temperatures[name] = getattr(found, "temperature", None)
        made.sent[found.guid].append(line)
    return made


def shown_of(records: list[Kept]) -> dict[str, Any]:
    oracle = Oracle()
    oracle.add([[record.value or b"" for record in records]])
    rejected: dict[str, int] = defaultdict(int)
    for record in records:
        found = contract.judge(record.value or b"")
        if isinstance(found, contract.Rejection):
            rejected[found.reason.value] += 1
    whole = {
        "audit_since_start": asdict(oracle.audit()),
        "rejected_since_start": rejected,
        "scopes": {"since_start": asdict(oracle.analytics())},
    }
    return dict(json.loads(json.dumps(whole)))


def evidence(*values: bytes | None, made: Made | None = None) -> Evidence:
    records = [kept(value) for value in values]
    return Evidence(made=made or made_of(*LINES, *OTHERS), records=records, shown=shown_of(records))


def problem(verdict: Verdict) -> str:
    assert len(verdict.problems) == 1, str(verdict)
    return verdict.problems[0]


def test_all_that_was_made_and_came_once_is_as_promised() -> None:
    verdict = judge(evidence(*LINES, *OTHERS))
    assert verdict.problems == []
    assert verdict.numbers["made"] == verdict.numbers["received"] == 12


def test_a_lost_reading_is_found() -> None:
    verdict = judge(evidence(*LINES[:3], *LINES[4:], *OTHERS))
    assert problem(verdict).startswith("lost 1: Name(guid='g'")
    assert "seq=4)" in problem(verdict)


def test_the_last_reading_of_all_is_missed_too() -> None:
    assert "seq=8)" in problem(judge(evidence(*LINES[:-1], *OTHERS)))


def test_a_doubled_reading_is_found() -> None:
    verdict = judge(evidence(*LINES, LINES[3], *OTHERS))
    assert problem(verdict).startswith("doubled 1: ")


def test_what_its_agent_sent_again_is_not_doubled_unless_it_comes_once_more() -> None:
    made = made_of(*LINES[:4], LINES[3], *LINES[4:], *OTHERS)
    twice = (*LINES[:4], LINES[3], *LINES[4:], *OTHERS)
    verdict = judge(evidence(*twice, made=made))
    assert verdict.problems == []
    assert verdict.numbers["came again from their agent"] == 1
    assert "doubled 1: " in problem(judge(evidence(*twice, LINES[3], made=made)))


def test_a_changed_byte_is_found() -> None:
    # Still a reading, of the same name.
    changed = LINES[3].replace(b'"destination":"d"', b'"destination":"e"')
    verdict = judge(evidence(*LINES[:3], changed, *LINES[4:], *OTHERS))
    assert problem(verdict).startswith("changed 1: ")


def test_a_blank_more_is_a_changed_byte() -> None:
    changed = LINES[3].replace(b",", b", ", 1)
    assert "changed 1: " in problem(judge(evidence(*LINES[:3], changed, *LINES[4:], *OTHERS)))


def test_another_temperature_than_was_committed_is_found() -> None:
    made = made_of(*LINES, *OTHERS)
    made.temperatures[Name("g", EPOCH, 4)] = 1.0
    verdict = judge(evidence(*LINES, *OTHERS, made=made))
    assert problem(verdict).startswith("of another content 1: ")


def test_two_that_changed_places_are_found() -> None:
    verdict = judge(evidence(*LINES[:3], LINES[4], LINES[3], *LINES[5:], *OTHERS))
    assert problem(verdict) == "sensors out of order 1: g"


def test_two_sensors_may_come_in_any_order() -> None:
    assert judge(evidence(*OTHERS[:2], *LINES, *OTHERS[2:])).problems == []


def test_an_agent_that_sends_in_three_lanes_is_found() -> None:
    order = [LINES[place] for place in (2, 1, 0, 3, 4, 5, 6, 7)]
    verdict = judge(evidence(*order, *OTHERS, made=made_of(*order, *OTHERS)))
    assert problem(verdict).startswith("sensors in more than two lanes 1: ")


def test_what_a_gap_tells_of_is_not_lost() -> None:
    told = gap("g", first=3, last=5, count=3, seq=9)
    made = made_of(*LINES, told, *OTHERS)
    for line in LINES[2:5]:
        made.sent["g"].remove(line)
    verdict = judge(evidence(*LINES[:2], *LINES[5:], told, *OTHERS, made=made))
    assert verdict.problems == []
    assert verdict.numbers["declared gaps"] == 3
    short = gap("g", first=3, last=5, count=2, seq=9)
    made.sent["g"][-1] = short
    verdict = judge(evidence(*LINES[:2], *LINES[5:], short, *OTHERS, made=made))
    assert "seq=5)" in problem(verdict)


def test_a_gap_that_does_not_come_is_lost_with_all_that_it_tells_of() -> None:
    made = made_of(*LINES, gap("g", first=3, last=5, count=3, seq=9), *OTHERS)
    assert problem(judge(evidence(*LINES[:2], *LINES[5:], *OTHERS, made=made))).startswith(
        "lost 4: "
    )


def test_gaps_that_overlap_tell_of_their_counts_together() -> None:
    gaps: list[Any] = [
        contract.judge(gap("g", first=first, last=last, count=count))
        for first, last, count in ((1, 5, 2), (4, 9, 3), (20, 20, 1))
    ]
    assert unexplained([1, 2, 4, 6, 8, 9, 20, 21], gaps) == [9, 21]


def test_what_is_declared_and_came_all_the_same_is_counted() -> None:
    told: Any = contract.judge(gap("g", first=3, last=6, count=3))
    assert needless([told], {1, 3, 7}) == 0
    assert needless([told], {1, 3, 4, 7}) == 1
    verdict = judge(evidence(*LINES, *OTHERS, gap("g", first=3, last=5, count=3, seq=9)))
    assert verdict.numbers["declared and received"] == 3


def test_a_run_in_which_nothing_was_made_proves_nothing() -> None:
    assert "proves nothing" in problem(judge(evidence(made=made_of())))


@pytest.mark.parametrize(
    ("numbers", "fewest"),
    (([], 0), ([1, 2, 3], 1), ([5, 1, 6, 2, 7], 2), ([3, 2, 1], 3), ([4, 1, 5, 3, 2, 6], 3)),
)
def test_lanes(numbers: list[int], fewest: int) -> None:
    assert lanes(numbers) == fewest


def test_follows() -> None:
    assert follows("ace", "abcde")
    assert not follows("aec", "abcde")
    assert not follows("aa", "abc")
    assert follows("", "")


def test_what_the_page_shows_is_held_against_the_topic() -> None:
    good = evidence(*LINES, b"no reading", *OTHERS)
    shown: Any = json.loads(json.dumps(good.shown))
    assert judge(good).problems == []
    shown["audit_since_start"]["received"] -= 1
    assert "the page's audit is" in problem(judge(replace(good, shown=shown)))
    shown = json.loads(json.dumps(good.shown))
    shown["scopes"]["since_start"]["average_temperature_by_state"][0][1] += 1e-6
    assert "the page's averages are" in problem(judge(replace(good, shown=shown)))
    shown = json.loads(json.dumps(good.shown))
    shown["rejected_since_start"] = {}
    assert "the page's rejected is" in problem(judge(replace(good, shown=shown)))
    assert "no snapshot" in problem(judge(replace(good, shown=None)))


def test_a_hostile_message_has_a_letter_for_each_line_or_one_for_all() -> None:
    sent = Sent("garbage", "t/1", None, b"a\nb\n\nb")
    good = replace(evidence(*LINES, *OTHERS), hostile=(sent,))
    wanted = re.escape("hostile without a letter 1: garbage t/1")
    for letters in (
        [],
        [kept(b"a", mqtt_topic="t/1"), kept(b"b", mqtt_topic="t/1")],
        [kept(sent.payload, mqtt_topic="t/2")],
    ):
        assert re.match(wanted, problem(judge(replace(good, letters=letters))))
    each = [kept(line, mqtt_topic="t/1") for line in (b"b", b"a", b"b")]
    parts = [
        kept(part, mqtt_topic="t/1", part=str(number))
        for number, part in ((2, b"\n\nb"), (1, b"a\nb"))
    ]
    detail = f"the first 2 of 6 with SHA-256 {hashlib.sha256(sent.payload or b'').hexdigest()}"
    cut = [kept(b"a\n", mqtt_topic="t/1", detail=detail)]
    for letters in (each, parts, parts * 2, cut):
        assert judge(replace(good, letters=letters)).problems == []


def test_a_hostile_record_has_a_letter_that_names_its_place() -> None:
    sent = Sent("keys", "", (2, 40), b"no reading")
    good = replace(evidence(*LINES, *OTHERS), hostile=(sent,))
    for offset, well in ((b"41", False), (b"40", True)):
        letter = Kept(b"key", b"no reading", {"partition": b"2", "offset": offset}, 0)
        assert judge(replace(good, letters=(letter,))).problems == (
            [] if well else ["hostile without a letter 1: keys (2, 40)"]
        )


def test_a_hostile_message_that_is_a_reading_is_counted() -> None:
    stranger = reading("stranger", seq=2**63 - 1)
    sent = Sent("numbers", "t/1", None, stranger)
    assert judge(replace(evidence(*LINES, *OTHERS, stranger), hostile=(sent,))).problems == []
    assert "hostile without" in problem(judge(replace(evidence(*LINES, *OTHERS), hostile=(sent,))))


def test_an_absurd_gap_of_a_stranger_takes_no_time() -> None:
    absurd = gap("stranger", first=1, last=2**63 - 1, count=2**63 - 1, seq=1)
    judge(evidence(*LINES, *OTHERS, absurd))


def test_what_was_noticed_besides_is_a_problem() -> None:
    good = replace(evidence(*LINES, *OTHERS), noted=("a traceback in bridge.log",))
    assert problem(judge(good)) == "noted 1: a traceback in bridge.log"
