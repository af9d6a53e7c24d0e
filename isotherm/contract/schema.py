"""The schema of a reading for others: JSON Schema and Spark DDL, both from the field table.

`python -m isotherm.contract.schema` prints the JSON Schema of a reading, `python -m
isotherm.contract.schema gap` that of a gap; `reading.schema.json` and `gap.schema.json` in
`schemas` are its output, and a test holds them equal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from isotherm.contract.fields import FIELDS, GAP_FIELDS, Field, Kind

Fields = tuple[Field, ...]

SCHEMAS: Final = Path(__file__).parent / "schemas"
"""The JSON Schemas of what isotherm writes: readings, gaps, snapshots."""

_SPARK: Final = {Kind.STRING: "STRING", Kind.NUMBER: "DOUBLE", Kind.INTEGER: "BIGINT"}


def json_schema(fields: Fields = FIELDS, title: str = "isotherm reading v1") -> dict[str, Any]:
    """The reading, or what else has a table of fields, as JSON Schema (draft 2020-12).

    As strict as that language can be: it cannot say "printable" of a guid, nor hold a calendar, and
    says nothing of bytes (size, UTF-8, depth). So `isotherm.contract.judge` may reject what the
    schema accepts, and never the other way round. In Python's `jsonschema` a pattern's $ also
    stands before a last line feed; ECMA 262, which JSON Schema refers to, has none of that.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_object(fields, ()),
    }


def gap_schema() -> dict[str, Any]:
    """The gap as JSON Schema, which cannot say that first, last and count fit together."""
    return json_schema(GAP_FIELDS, "isotherm gap v1")


def spark_ddl() -> str:
    """The reading as a Spark SQL schema in DDL text."""
    return ", ".join(f"{field.path[-1]} {_spark_type(field)}" for field in _children(FIELDS, ()))


def _children(fields: Fields, path: tuple[str, ...]) -> list[Field]:
    return [field for field in fields if field.path[:-1] == path]


def _object(fields: Fields, path: tuple[str, ...]) -> dict[str, Any]:
    children = _children(fields, path)
    return {
        "type": "object",
        "properties": {field.path[-1]: _property(fields, field) for field in children},
        "required": [field.path[-1] for field in children if field.required],
        "additionalProperties": True,
    }


def _property(fields: Fields, field: Field) -> dict[str, Any]:
    shape: dict[str, Any] = (
        _object(fields, field.path) if field.kind is Kind.OBJECT else {"type": field.kind.value}
    )
    if not field.required:
        shape["type"] = [shape["type"], "null"]
    return {"description": field.meaning, **shape, **field.json_schema}


def _spark_type(field: Field) -> str:
    if field.kind is not Kind.OBJECT:
        return _SPARK[field.kind]
    children = _children(FIELDS, field.path)
    inner = ", ".join(f"{child.path[-1]}: {_spark_type(child)}" for child in children)
    return f"STRUCT<{inner}>"


if __name__ == "__main__":
    print(json.dumps(gap_schema() if sys.argv[1:] == ["gap"] else json_schema(), indent=2))
