from __future__ import annotations

from bridge.doctor.sessions import check_sessions
from bridge.kafka.find_notes import Found, Known
from bridge.kafka.session_notes import Note
from bridge.settings import PREFIX, BridgeSettings
from isotherm.mqtt.topics import ALL_READINGS
from isotherm.settings.table import load

NOW = 1_000_000.0
WHOLE = Note("b", sharded=False, filters=frozenset({ALL_READINGS}), expiry=600, alone=True)


def said(found: dict[str, Known] | Found | str, **flags: str) -> list[tuple[str, str]]:
    settings = load(BridgeSettings, PREFIX, flags={"client_id": "b", **flags})
    found = Found(found) if isinstance(found, dict) else found
    return [(f.mark.value, f.sentence) for f in check_sessions(found, settings, NOW)]


def test_sessions_of_this_kind_are_well() -> None:
    [(mark, _)] = said({"b": Known(WHOLE, NOW - 10)})
    assert mark == "ok"
    assert said({})[0][0] == "ok"


def test_sessions_of_the_other_kind_are_named() -> None:
    [(mark, sentence)] = said({"b": Known(WHOLE, NOW - 10)}, shards="0-63")
    assert (mark, sentence.split()[0]) == ("warn", "b")
    [(mark, sentence)] = said({"b": Known(WHOLE, NOW - 10)}, shards="0-31")
    assert mark == "fail"
    assert "--shards 0-63" in sentence


def test_a_session_that_was_lost_is_told_for_as_long_as_one_is_kept() -> None:
    (mark, sentence), _ = said({"b": Known(WHOLE._replace(lost=int(NOW) - 7200), NOW - 10)})
    assert mark == "warn"
    assert "2.0 hours ago the broker had no session b" in sentence
    assert len(said({"b": Known(WHOLE._replace(lost=1), NOW - 10)})) == 1


def test_what_may_be_further_back_than_was_read_is_a_warning() -> None:
    (mark, sentence), _ = said(Found({}, frozenset({"b-00"})))
    assert mark == "warn"
    assert "b-00 may be further back" in sentence


def test_what_cannot_be_read_is_a_warning() -> None:
    assert said("no answer")[0][0] == "warn"
