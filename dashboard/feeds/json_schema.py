"""Checks a decoded value against a JSON Schema: the part of 2020-12 that our own schemas use.

Compiled once into functions, so that a snapshot costs a millisecond. Two things are taken more
easily than the schema says, since the writer may be of a later version than the page: names that it
does not know (``additionalProperties: false`` and ``propertyNames``) are let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import is_event_time
from isotherm.contract.foreign_json import excerpt, is_finite

if TYPE_CHECKING:
    from collections.abc import Mapping

Check = Callable[[Any, str], None]
"""Takes a value and its place, for the error; raises ValueError."""

_LONGEST: Final = 65_536
"""Characters of a text, where the schema names no bound."""
_MOST: Final = 10_000
"""Items of a list and entries of an object, where the schema names no bound."""
_NO_CHECKS: Final = frozenset(
    {"$schema", "$defs", "title", "description", "propertyNames", "maxItems", "maxProperties"}
)


def compiled(
    schema: Mapping[str, Any], needed: Mapping[str, frozenset[str]] | None = None
) -> Check:
    """A function that checks values.

    Args:
        schema: with its ``$defs``.
        needed: by name in ``$defs`` (empty for the schema itself) what must be there in place of
            what ``required`` says.

    Raises:
        ValueError: the schema has a keyword that is not known here.
    """
    return _Compiler(schema["$defs"], needed or {}).compile(schema, "")


class _Compiler:
    def __init__(self, defs: Mapping[str, Any], needed: Mapping[str, frozenset[str]]) -> None:
        self._defs = defs
        self._needed = needed
        self._known: dict[str, Check] = {}

    def compile(self, schema: Mapping[str, Any], name: str | None = None) -> Check:
        """One level of a schema; `name` where it is one of ``$defs``."""
        checks = []
        for keyword, argument in schema.items():
            if keyword in _NO_CHECKS or (keyword == "additionalProperties" and argument is False):
                continue
            if keyword == "required" and name is not None and name in self._needed:
                argument = self._needed[name]  # noqa: PLW2901 in its place
            try:
                make = getattr(self, f"_{keyword.strip('$')}")
            except AttributeError:
                raise ValueError(f"the keyword {keyword} of JSON Schema is not known") from None
            checks.append(make(argument, schema))
        if len(checks) == 1:
            only: Check = checks[0]
            return only

        def check(value: Any, place: str) -> None:
            for each in checks:
                each(value, place)

        return check

    def _ref(self, argument: str, _: Any) -> Check:
        name = argument.removeprefix("#/$defs/")
        if name not in self._known:
            self._known[name] = self.compile(self._defs[name], name)
        return self._known[name]

    def _type(self, argument: str | list[str], schema: Mapping[str, Any]) -> Check:
        names = [argument] if isinstance(argument, str) else argument
        kinds = [_KINDS[name] for name in names]
        expected = " or ".join(names)
        most = max(schema.get("maxItems", _MOST), schema.get("maxProperties", 0))
        longest = schema.get("maxLength", _LONGEST)

        def check(value: Any, place: str) -> None:
            if not any(kind(value) for kind in kinds):
                raise ValueError(f"its {place} is {excerpt(value)}, and no {expected}")
            if isinstance(value, list | dict) and len(value) > most:
                raise ValueError(f"its {place} has {len(value)} entries, at most {most}")
            if isinstance(value, str) and len(value) > longest:
                raise ValueError(f"its {place} has {len(value)} characters, at most {longest}")

        return check

    def _const(self, argument: Any, _: Any) -> Check:
        return self._enum([argument], _)

    def _enum(self, argument: list[Any], _: Any) -> Check:
        def check(value: Any, place: str) -> None:
            if value not in argument:
                raise ValueError(f"its {place} is {excerpt(value)}")

        return check

    def _pattern(self, argument: str, _: Any) -> Check:
        # `$` would take a line feed at the end, and \d digits of all scripts.
        pattern = re.compile(argument.removeprefix("^").removesuffix("$"), re.ASCII)
        time = argument.endswith("Z$")

        def check(value: Any, place: str) -> None:
            if isinstance(value, str) and (
                not pattern.fullmatch(value) or (time and not is_event_time(value))
            ):
                raise ValueError(f"its {place} is {excerpt(value)}")

        return check

    def _maxLength(self, _argument: int, _: Any) -> Check:  # noqa: N802 the keyword
        return _nothing

    def _minimum(self, argument: float, _: Any) -> Check:
        return _number(lambda value: value >= argument)

    def _maximum(self, argument: float, _: Any) -> Check:
        return _number(lambda value: value <= argument)

    def _exclusiveMinimum(self, argument: float, _: Any) -> Check:  # noqa: N802 the keyword
        return _number(lambda value: value > argument)

    def _exclusiveMaximum(self, argument: float, _: Any) -> Check:  # noqa: N802 the keyword
        return _number(lambda value: value < argument)

    def _minItems(self, argument: int, _: Any) -> Check:  # noqa: N802 the keyword
        def check(value: Any, place: str) -> None:
            if isinstance(value, list) and len(value) < argument:
                raise ValueError(f"its {place} has {len(value)} entries, at least {argument}")

        return check

    def _minProperties(self, argument: int, _: Any) -> Check:  # noqa: N802 the keyword
        def check(value: Any, place: str) -> None:
            if isinstance(value, dict) and len(value) < argument:
                raise ValueError(f"its {place} has {len(value)} entries, at least {argument}")

        return check

    def _items(self, argument: Mapping[str, Any], _: Any) -> Check:
        item = self.compile(argument)

        def check(value: Any, place: str) -> None:
            if isinstance(value, list):
                for number, each in enumerate(value):
                    item(each, f"{place}[{number}]")

        return check

    def _prefixItems(self, argument: list[Any], _: Any) -> Check:  # noqa: N802 the keyword
        parts = [self.compile(each) for each in argument]

        def check(value: Any, place: str) -> None:
            if isinstance(value, list):
                for number, (part, each) in enumerate(zip(parts, value, strict=False)):
                    part(each, f"{place}[{number}]")

        return check

    def _required(self, argument: list[str], _: Any) -> Check:
        def check(value: Any, place: str) -> None:
            if isinstance(value, dict):
                missing = sorted(set(argument) - value.keys())
                if missing:
                    where = f"its {place}" if place else "it"
                    raise ValueError(f"{where} has no {', '.join(missing)}")

        return check

    def _properties(self, argument: Mapping[str, Any], _: Any) -> Check:
        parts = {name: self.compile(each) for name, each in argument.items()}

        def check(value: Any, place: str) -> None:
            if isinstance(value, dict):
                for name, part in parts.items():
                    if name in value:
                        part(value[name], f"{place}.{name}" if place else name)

        return check

    def _additionalProperties(self, argument: Any, schema: Mapping[str, Any]) -> Check:  # noqa: N802 the keyword
        part = self.compile(argument)
        known = schema.get("properties", {})

        def check(value: Any, place: str) -> None:
            if isinstance(value, dict):
                for name in value.keys() - known:
                    part(value[name], f"{place}.{excerpt(name)}")

        return check

    def _oneOf(self, argument: list[Any], _: Any) -> Check:  # noqa: N802 the keyword
        parts = [self.compile(each) for each in argument]

        def check(value: Any, place: str) -> None:
            why: ValueError | None = None
            for part in parts:
                try:
                    part(value, place)
                except ValueError as error:
                    why = error
                else:
                    return
            assert why is not None
            raise why

        return check


def _nothing(_value: Any, _place: str) -> None:
    """What `_type` has checked."""


def _number(holds: Callable[[float], bool]) -> Check:
    def check(value: Any, place: str) -> None:
        if is_finite(value) and not holds(value):
            raise ValueError(f"its {place} is {excerpt(value)}")

    return check


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: Final[Mapping[str, Callable[[object], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _integer,
    "number": is_finite,
}
