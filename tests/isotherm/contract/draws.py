"""Strategies for records: readings, nearly readings, and junk."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import strategies as st

from isotherm.contract.fields import (
    CLOCKS,
    FORMAT,
    GAP_FORMAT,
    MAX_SEQ,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
)
from isotherm.contract.states import STATES


class Raw(str):
    """JSON text that goes into a record as it is, right or wrong."""

    __slots__ = ()


numbers = st.one_of(
    st.floats(MIN_TEMPERATURE - 1, MAX_TEMPERATURE + 1).map(repr),
    st.floats().map(repr),
    st.integers(-2, 3).map(lambda near: str(MAX_SEQ + near)),
    st.integers(-2, 3).map(lambda near: f"{2**64 + near}"),
    st.integers().map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{0,3})?", fullmatch=True),
    st.sampled_from(("NaN", "Infinity", "-Infinity", "1e999", "-0", "1.0", "0", "310", "-150")),
).map(Raw)
"""Number tokens, most of them right; exponents and digits past what a double or an int64 holds."""

texts = st.text(max_size=20) | st.text(
    st.characters(categories=("Cs", "Cc", "Cf", "Zs", "Lu", "So", "Cn", "Co")), max_size=4
)
"""Texts, with lone surrogates, controls and characters that nobody assigned."""

times = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,10})?Z\n?",
        fullmatch=True,
    ),
)

junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
"""JSON values of every shape."""

epochs = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)

readings: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "guid": st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=128),
        "destination": texts,
        "state": st.sampled_from(STATES),
        "eventTime": st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
        "payload": st.fixed_dictionaries(
            {
                "format": st.just(FORMAT),
                "data": st.fixed_dictionaries(
                    {
                        "temperature": st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE).map(
                            lambda t: Raw(repr(t))
                        )
                    }
                ),
            }
        ),
    },
    optional={
        "origin": st.none()
        | st.fixed_dictionaries(
            {
                "epoch": epochs,
                "seq": st.integers(1, MAX_SEQ).map(lambda seq: Raw(str(seq))),
                "clock": st.sampled_from(sorted(CLOCKS)),
            }
        ),
        "firmware": junk,
    },
)
"""Objects that are readings, before they are written as JSON."""


@st.composite
def gaps(draw: st.DrawFn) -> dict[str, Any]:
    """Objects that are gaps, but that count may be one too many."""
    record: dict[str, Any] = draw(readings)
    seqs = st.integers(1, MAX_SEQ // 2)
    first, more = draw(seqs), draw(st.integers(0, 40))
    data = {
        "epoch": draw(epochs),
        "first": Raw(str(first)),
        "last": Raw(str(first + more)),
        "count": Raw(str(draw(st.integers(1, more + 2)))),
        "reason": "drop_oldest",
    }
    record["payload"] = {"format": GAP_FORMAT, "data": data}
    clock = draw(st.sampled_from(sorted(CLOCKS)))
    record["origin"] = {"epoch": draw(epochs), "seq": Raw(str(draw(seqs))), "clock": clock}
    return record


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """A value as JSON text, with whatever blanks, escapes and order JSON leaves free.

    How it is written comes from one drawn seed: a draw for every blank made this the slowest test.
    """
    return _written(value, Random(draw(st.integers(0, 2**32))), draw)


def _written(value: Any, free: Random, draw: st.DrawFn) -> str:
    blank = free.choice(("", "", "", " ", "\t", "\n", "\r\n "))
    match value:
        case Raw():
            token = str(value)
        case str():
            token = json.dumps(value, ensure_ascii=free.random() < 0.5)
            if value and free.randrange(10) == 0:
                token = f'"\\u{ord(value[0]):04x}{token[2:]}' if value[0].isalnum() else token
        case dict():
            pairs = list(value.items())
            if free.randrange(4) == 0:
                free.shuffle(pairs)
            if pairs and free.randrange(10) == 0:
                name, _ = free.choice(pairs)
                pairs.insert(free.randrange(len(pairs) + 1), (name, draw(junk)))
            members = [f"{_written(k, free, draw)}:{_written(v, free, draw)}" for k, v in pairs]
            token = "{" + ",".join(members) + "}"
        case list():
            token = "[" + ",".join(_written(item, free, draw) for item in value) + "]"
        case _:
            token = json.dumps(value)
    return blank + token + blank


@st.composite
def nearly_readings(draw: st.DrawFn) -> bytes:
    """A reading or a gap of which any member may be replaced, removed or added."""
    record = draw(st.one_of(readings, readings, gaps()))
    for _ in range(draw(st.integers(0, 3))):
        place = record
        while inner := [v for v in place.values() if isinstance(v, dict)]:
            if draw(st.booleans()):
                break
            place = draw(st.sampled_from(inner))
        names = [*place, "extra"]
        name = draw(st.sampled_from(names))
        if draw(st.integers(0, 4)) == 0:
            place.pop(name, None)
        else:
            place[name] = draw(junk | times | numbers | texts)
    return draw(written(record)).encode("utf-8", "surrogatepass")


_SPECIAL = [bytes([byte]) for byte in b'"\\{}[]:,0123456789.eE+-nulltruefalse \t\r\n\0\x1f\x7f']
_SPECIAL += [
    b"\xff",
    b"\xc3",
    b"\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\u",
    b"\\ud800",
    b"\\q",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A reading, or nearly one, with some bytes put in, taken out or doubled."""
    record = draw(nearly_readings())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(record)))
        stop = min(len(record), start + draw(st.integers(0, 3)))
        new = draw(st.sampled_from(_SPECIAL) | st.binary(max_size=2))
        record = record[:start] + new + record[stop:]
    return record


records = st.one_of(
    gaps().flatmap(written).map(lambda text: text.encode("utf-8", "surrogatepass")),
    nearly_readings(),
    damaged(),
    junk.flatmap(written).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=200),
)
"""Records of every sort, as bytes."""
