from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

from aggregator.analytics.snapshot import to_json
from dashboard.feeds.incoming import MAX_BYTES, problem, read
from dashboard.feeds.json_schema import compiled
from isotherm.contract.schema import SCHEMAS
from tests.dashboard.support.fleet import snapshot

HOSTILE = Path(__file__).parents[1] / "hostile"
SCHEMA = json.loads((SCHEMAS / "snapshot.schema.json").read_text(encoding="utf-8"))
GOOD: dict[str, Any] = json.loads(to_json(snapshot(1)))
ODD = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=3)
    | some.sampled_from([[], {}, [["CA", 1]], "x" * 200_000, [[1] * 2] * 60, "CA\n", "c\u00e4"])
)


def places(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value stands in another, everywhere."""
    items: list[tuple[Any, Any]] = []
    if isinstance(found, dict):
        items = list(found.items())
    elif isinstance(found, list):
        items = list(enumerate(found))
    return [path] + [each for name, one in items for each in places(one, (*path, name))]


def put(found: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return value
    first, *rest = path
    inner = put(found[first], tuple(rest), value) if rest else value
    if isinstance(found, list):
        return [*found[:first], inner, *found[first + 1 :]]
    return {**found, first: inner}


def changed(*path: Any, value: Any) -> bytes:
    return json.dumps(put(GOOD, path, value)).encode()


AVERAGES = ("scopes", "window", "average_temperature_by_state")


@pytest.mark.parametrize(
    ("text", "why"),
    (
        ((HOSTILE / "average-overflow.json").read_bytes(), "number of 401 digits"),
        (changed(*AVERAGES, 0, 1, value=10**39), ""),
        (changed(*AVERAGES, 0, 1, value=0).replace(b'", 0]', b'", 1e999]'), "out of range"),
        (changed("query_id", value="\ud800"), "half of a surrogate pair"),
        (changed(*AVERAGES, 0, 0, value="\ud800"), "half of a surrogate pair"),
        (changed("scopes", value={"\udfff": GOOD["scopes"]["window"]}), "surrogate"),
        (changed("scopes", value={"other": GOOD["scopes"]["window"]}), "no scope that is known"),
        (changed("scopes", value={}), "at least 1"),
        (changed(*AVERAGES, value=[["CA", 1.0], ["CA", 2.0]]), "a state twice"),
        (changed(*AVERAGES, value=[["CA", 1.0]] * 52), "at most 51"),
        (changed(*AVERAGES, 0, 0, value="CA\n"), "its scopes.window.average"),
        (changed(*AVERAGES, 0, 1, value=True), "no number"),
        (changed("query_id", value="q" * 129), "at most 128"),
        (changed("batch_id", value=1.5), "batch_id is 1.5"),
        (changed("batch_id", value=True), "batch_id is True"),
        (changed("batch_id", value=-1), "batch_id is -1"),
        (changed("window", "end", value="0000-01-01T00:00:00Z"), "window.end"),
        (changed("window", "end", value="2026-02-30T00:00:00Z"), "window.end"),
        (changed("window", "end", value="\u0662026-02-30T00:00:00Z"), "window.end"),
        (changed("rejected", value={"not_json": "2"}), "no integer"),
        (changed("rejected", value=[]), "no object"),
        (changed("rejected", value={str(number): 1 for number in range(20_000)}), "at most"),
        (changed("audit_since_start", "missing", value=None), "missing is None"),
        (changed("audit", value={}), "its audit has no"),
        (changed("offline", "by_state", value=[["CA"]]), "at least 2"),
        (changed("idle", value=1), "idle is 1"),
        (changed("more", value=json.loads("[" * 40 + "]" * 40)), "nested deeper"),
        (changed("more", value="x" * MAX_BYTES), "bytes, at most"),
    ),
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_what_cannot_be_shown_is_known_before_it_is_kept(text: bytes, why: str) -> None:
    if not why:
        assert read(text)
        return
    with pytest.raises(ValueError, match=why):
        read(text)


def test_a_writer_of_a_later_version_may_say_more() -> None:
    found = read(changed("more", value=[1]))
    assert found["more"] == [1]
    scopes = {**GOOD["scopes"], "other": 7}
    assert set(read(changed("scopes", value=scopes))["scopes"]) == {"window", "since_start"}
    assert read(changed("rejected", value={"a_new_reason": 1}))


def test_a_writer_may_leave_away_what_the_page_can_do_without() -> None:
    window = {"average_temperature_by_state": [["CA", 59.0]], "total_messages": 1}
    least = {name: GOOD[name] for name in ("schema", "query_id", "batch_id", "window")}
    assert read(json.dumps({**least, "scopes": {"window": window}}).encode())


@given(some.data())
def test_the_check_says_of_a_snapshot_what_its_schema_says(data: some.DataObject) -> None:
    path = data.draw(some.sampled_from(places(GOOD)))
    found = put(GOOD, path, data.draw(ODD))
    valid = Draft202012Validator(SCHEMA).is_valid(found)
    if problem(found) is None:
        # More is let through in two ways: names that are new, and what may be missing.
        assert valid or path == () or path[0] in ("rejected", "rejected_since_start", "scopes")
    else:
        # Beside the schema: bounds where it has none, integers written as 1.0, states twice.
        assert not valid or isinstance(_at(found, path), float | str | list)


def _at(found: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        found = found[name]
    return found


def test_a_keyword_that_the_check_does_not_know_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="dependentSchemas"):
        compiled({"$defs": {}, "dependentSchemas": {}})
