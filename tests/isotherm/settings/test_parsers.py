from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.settings.parsers import (
    boolean,
    choice,
    duration,
    optional,
    several,
    span,
    text,
    whole,
)

if TYPE_CHECKING:
    from isotherm.settings.parsers import Parser

version = choice("5", "3.1.1")
port = whole(1, 65535)
ports = several(port)

GOOD: tuple[tuple[Parser, Any, Any], ...] = (
    (text, "a b", "a b"),
    (boolean, True, True),
    (boolean, "false", False),
    (boolean, "true", True),
    (port, 1, 1),
    (port, "65535", 65535),
    (version, "5", "5"),
    (version, 5, "5"),
    (duration, "500ms", 0.5),
    (duration, "5s", 5.0),
    (duration, "1.5m", 90.0),
    (duration, "2h", 7200.0),
    (duration, "1d", 86400.0),
    (span(5, 3600), "1h", 3600.0),
    (optional(port), None, None),
    (optional(port), "7", 7),
    (ports, [1, 2], (1, 2)),
    (ports, ("1", "2"), (1, 2)),
    (ports, "1, 2", (1, 2)),
    (ports, "1", (1,)),
)


def _all(parse: Parser, fix: str, *values: Any) -> list[tuple[Parser, Any, str]]:
    return [(parse, value, fix) for value in values]


BAD: tuple[tuple[Parser, Any, str], ...] = (
    *_all(text, "write a text that is not empty", "", "  ", 5, None, True, []),
    *_all(boolean, "write true or false", "yes", "True", 1, 0, "", None, []),
    *_all(port, "write a whole number from 1 to 65535", 0, 65536, "0", "x", "", "1.0", 1.0, True),
    *_all(port, "write a whole number from 1 to 65535", None, [1], "9" * 5000),
    *_all(version, "write one of: 5, 3.1.1", "", "4", 3.1, 4, True, None, ["5"], "5 "),
    *_all(
        duration, "write a time span such as 500ms", "", "5", "s", "5 s", "-5s", "1e3s", "1.2.3s"
    ),
    *_all(duration, "2m, 1h or 1d", "5w", ".s", 5, True, None),
    *_all(duration, "over 0 and finite", "0s", "0.0ms", "9" * 400 + "s"),
    *_all(span(5, 3600), "write a time span from 5s to 3600s", "4999ms", "61m"),
    (ports, "1,,2", "write a whole number"),
    (ports, "", "write a whole number"),
    (ports, [0], "write a whole number"),
    (ports, 5, "write a list"),
    (ports, {"a": 1}, "write a list"),
    (ports, [], "write a list of at least one"),
)


@pytest.mark.parametrize(("parse", "value", "expected"), GOOD)
def test_good_values(parse: Parser, value: Any, expected: Any) -> None:
    found = parse(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("parse", "value", "fix"), BAD)
def test_bad_values_are_answered_with_what_to_write(parse: Parser, value: Any, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        parse(value)


toml = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.none()
    | st.just(datetime(2016, 11, 16, tzinfo=UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("parse", (text, boolean, port, version, duration, optional(port), ports))
@given(value=toml)
def test_a_parser_raises_nothing_but_value_error(parse: Parser, value: Any) -> None:
    with suppress(ValueError):
        parse(value)
