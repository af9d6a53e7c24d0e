from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from isotherm.contract.event_time import is_event_time
from isotherm.contract.fields import FIELDS, Kind
from isotherm.contract.reasons import Reason
from isotherm.contract.schema import SCHEMAS, gap_schema, json_schema, spark_ddl
from tests.support.golden import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

GAP_FILE = SCHEMAS / "gap.schema.json"
FILE = SCHEMAS / "reading.schema.json"
BEFORE_FIELDS = {Reason.TOO_LARGE, Reason.NOT_UTF8, Reason.NOT_JSON}


@pytest.fixture(scope="module")
def validator() -> jsonschema.protocols.Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def golden_objects() -> Iterator[tuple[Any, Reason | None, str]]:
    """Every golden record that is JSON of a fair size, no gap: its value, its verdict, and why."""
    for case in cases():
        for record, verdict, why in zip(case.records, case.verdicts, case.whys, strict=True):
            if verdict not in BEFORE_FIELDS and verdict != "gap":
                yield json.loads(record, parse_int=_integer), verdict, f"{case.name}: {why}"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 1000 else float(digits)


def test_the_file_is_what_the_module_prints() -> None:
    command = [sys.executable, "-m", "isotherm.contract.schema"]
    for words, file in ([], FILE), (["gap"], GAP_FILE):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
        assert done.stdout == file.read_text(encoding="utf-8"), (
            "python -m isotherm.contract.schema > isotherm/contract/schemas/reading.schema.json; "
            "python -m isotherm.contract.schema gap > isotherm/contract/schemas/gap.schema.json"
        )


def test_a_gap_passes_the_schema_of_gaps_and_what_does_not_is_none() -> None:
    schema = gap_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    (case,) = (case for case in cases() if case.name == "gaps")
    unsaid = set()
    for record, verdict, why in zip(case.records, case.verdicts, case.whys, strict=True):
        if validator.is_valid(json.loads(record)) != (verdict == "gap"):
            unsaid.add(why)
    assert unsaid == {
        "more than there are from 12 to 40",
        "first behind last",
        "a reason that is not printable",
        "30 February",
    }


def test_a_reading_passes_the_schema(validator: jsonschema.protocols.Validator) -> None:
    for value, verdict, why in golden_objects():
        if verdict is None:
            assert validator.is_valid(value), why


def test_what_passes_the_schema_is_a_reading_but_for_what_it_cannot_say(
    validator: jsonschema.protocols.Validator,
) -> None:
    found = set()
    for value, verdict, why in golden_objects():
        if verdict is not None and validator.is_valid(value):
            difference = _known_difference(value, verdict)
            assert difference, f"{verdict}: {why}"
            found.add(difference)
    assert found == {"printable", "calendar", "python's dollar"}, "one is gone: say so in the docs"


def _known_difference(value: dict[str, Any], verdict: Reason) -> str | None:
    if verdict is Reason.BAD_GUID and not value["guid"].isprintable():
        return "printable"
    time = value["eventTime"]
    epoch = (value.get("origin") or {}).get("epoch", "")
    if verdict is Reason.BAD_EVENT_TIME and not time.endswith("\n"):
        # The digits are in their places and their ranges; only the day does not exist.
        return "calendar" if is_event_time("2000-01-01" + time[10:]) else None
    # JSON Schema asks for ECMA 262, where $ is the end; Python's also stands before a last \n.
    if time.endswith("\n") or epoch.endswith("\n"):
        return "python's dollar"
    return None


def test_the_schema_has_every_field_of_the_table() -> None:
    for field in FIELDS:
        parent = json_schema()
        for name in field.path[:-1]:
            parent = parent["properties"][name]
        shape = parent["properties"][field.path[-1]]
        assert (field.path[-1] in parent["required"]) is field.required
        assert shape["type"] == (field.kind if field.required else [field.kind, "null"])
        assert shape["description"] == field.meaning
        assert parent["additionalProperties"] is True


def test_a_pattern_is_one_that_every_engine_reads_alike() -> None:
    # \d holds other digits than 0-9 in Python, and \s or \w differ between Java and ECMA 262.
    patterns = re.findall(r'"pattern": "(.*)"', FILE.read_text(encoding="utf-8"))
    assert patterns
    assert not [pattern for pattern in patterns if re.search(r"\\\\[dswb]|\(\?[^:]", pattern)]


def test_the_spark_schema_has_every_field_of_the_table() -> None:
    types = {
        Kind.STRING: "STRING",
        Kind.NUMBER: "DOUBLE",
        Kind.INTEGER: "BIGINT",
        Kind.OBJECT: "STRUCT",
    }
    assert list(_ddl_fields(spark_ddl())) == [(field.path, types[field.kind]) for field in FIELDS]


def _ddl_fields(ddl: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Read ``a STRING, b STRUCT<c: DOUBLE>`` into paths and types, in order."""
    path: list[str] = []
    name = ""
    for word in re.findall(r"[A-Za-z]+|[<>,:]", ddl):
        match word:
            case "<":
                path.append(name)
                name = ""
            case ">":
                path.pop()
            case "," | ":":
                name = "" if word == "," else name
            case _ if name:
                yield (*path, name), word
            case _:
                name = word
