from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.kafka.session_notes import USUAL, Note, Notebook, note_of, parse
from bridge.service.service import lane_settings
from bridge.settings import PREFIX, BridgeSettings
from isotherm.settings.table import load

NOTE = Note("b", sharded=False, filters=frozenset({"a", "b/#"}), expiry=600)

MADE = NOTE._replace(made=True)


def test_a_note_comes_back_as_it_was() -> None:
    more = NOTE._replace(sharded=True, ended=True, alone=True, granted=True, made=True, lost=7)
    for note in (NOTE, more):
        assert parse(note.header()) == note


@pytest.mark.parametrize(
    "header",
    (
        b"",
        b"\xff",
        b"[" * 100_000,
        b"1" * 5_000,
        b"{}",
        b"null",
        json.dumps({**json.loads(NOTE.header()), "kind": "x"}).encode(),
        json.dumps({**json.loads(NOTE.header()), "kind": []}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": 7}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": [7]}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": ["\ud800"]}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": [""]}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": ["a" * 65_536]}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": ["a\0"]}).encode(),
        json.dumps({**json.loads(NOTE.header()), "filters": "abc"}).encode(),
        json.dumps({**json.loads(NOTE.header()), "bridge": None}).encode(),
        NOTE.header().replace(b"600", b"-1"),
        NOTE.header().replace(b"600", b"1e30"),
        NOTE.header().replace(b"600", b"1e999"),
        NOTE.header().replace(b"600", b"9" * 5_000),
        b" " * 2_000_000,
    ),
)
def test_what_no_version_of_ours_wrote_is_no_note(header: bytes) -> None:
    assert parse(header) is None


def test_the_lanes_of_one_bridge_have_one_name_in_their_notes() -> None:
    settings = load(BridgeSettings, PREFIX, flags={"client_id": "site-1", "shards": "0-63"})
    notes = [note_of(lane) for lane in lane_settings(settings)]
    assert {(note.bridge, note.sharded) for note in notes} == {("site-1", True)}
    [whole] = lane_settings(load(BridgeSettings, PREFIX, flags={"client_id": "site-1"}))
    assert note_of(whole)[:2] == ("site-1", False)


def notebook(earlier: Note | None, *, there: bool = True, at: float = 1000.0) -> Notebook:
    made = Notebook(NOTE)
    made.found(b"" if earlier is None else earlier.header(), there=there, at=at)
    return made


def noted(made: Notebook) -> Note:
    found = parse(made.header())
    assert found is not None
    return found


def test_old_filters_stay_noted_until_the_broker_gave_them_up() -> None:
    made = notebook(NOTE._replace(filters=frozenset({"a", "old"}), granted=True))
    assert made.stale() == {"old"}
    assert made.held() == {"a"}
    assert noted(made).filters == {"a", "b/#", "old"}
    assert not noted(made).granted
    assert made.settled()
    assert noted(made).filters == {"a", "b/#"}
    assert noted(made).granted
    assert not made.settled()


def test_of_an_earlier_version_the_usual_filters_are_given_up() -> None:
    made = notebook(None)
    assert made.stale() == USUAL
    assert made.held() == frozenset()


def test_nothing_is_held_that_was_never_granted() -> None:
    assert notebook(NOTE).held() == frozenset()
    assert notebook(NOTE._replace(granted=True, ended=True)).held() == frozenset()


@pytest.mark.parametrize(
    ("earlier", "more", "expected"),
    (
        (MADE, {}, True),
        (NOTE, {}, False),
        (None, {}, True),
        (None, {"there": False, "at": 0.0}, False),
        (MADE._replace(ended=True), {}, False),
        (MADE._replace(expiry=10), {}, False),
    ),
)
def test_a_session_should_be_there_while_it_was_noted_and_not_expired(
    earlier: Note | None, more: dict[str, Any], *, expected: bool
) -> None:
    assert notebook(earlier, **more).missing(now=1500.0) == expected
    assert not notebook(earlier, **more).missing(now=1000.0 + 700_000.0)


def test_that_a_session_was_made_is_noted_until_it_is_ended() -> None:
    made = notebook(MADE)
    assert noted(made).made
    made.settled(ended=True)
    assert not noted(made).made
    assert not noted(notebook(NOTE)).made
    assert noted(notebook(None)).made


def test_only_the_first_look_counts() -> None:
    made = notebook(NOTE)
    made.found(NOTE._replace(filters=frozenset({"x"})).header(), there=True, at=5000.0)
    assert made.stale() == frozenset()
    assert made.at == 1000.0
