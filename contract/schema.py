"""The schema of a reading for others: JSON Schema and Spark DDL, both from the field table.

`python -m contract.schema` prints the JSON Schema; `reading.schema.json` beside this file is its
output, and a test holds them equal.
"""

from __future__ import annotations

import json
from typing import Any, Final

from contract.fields import FIELDS, Field, Kind

_SPARK: Final = {Kind.STRING: "STRING", Kind.NUMBER: "DOUBLE", Kind.INTEGER: "BIGINT"}


def json_schema() -> dict[str, Any]:
    """The reading as JSON Schema (draft 2020-12).

    As strict as that language can be: it cannot say "printable" of a guid, nor hold a calendar, and
    says nothing of bytes (size, UTF-8, depth). So `contract.judge` may reject what the schema
    accepts, and never the other way round. In Python's `jsonschema` a pattern's $ also stands
    before a last line feed; ECMA 262, which JSON Schema refers to, has none of that.
    """
    root = _object(())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "isotherm reading v1",
        **root,
    }


def spark_ddl() -> str:
    """The reading as a Spark SQL schema in DDL text."""
    return ", ".join(f"{field.path[-1]} {_spark_type(field)}" for field in _children(()))


def _children(path: tuple[str, ...]) -> list[Field]:
    return [field for field in FIELDS if field.path[:-1] == path]


def _object(path: tuple[str, ...]) -> dict[str, Any]:
    children = _children(path)
    return {
        "type": "object",
        "properties": {field.path[-1]: _property(field) for field in children},
        "required": [field.path[-1] for field in children if field.required],
        "additionalProperties": True,
    }


def _property(field: Field) -> dict[str, Any]:
    shape: dict[str, Any] = (
        _object(field.path) if field.kind is Kind.OBJECT else {"type": field.kind.value}
    )
    if not field.required:
        shape["type"] = [shape["type"], "null"]
    return {"description": field.meaning, **shape, **field.json_schema}


def _spark_type(field: Field) -> str:
    if field.kind is not Kind.OBJECT:
        return _SPARK[field.kind]
    inner = ", ".join(f"{child.path[-1]}: {_spark_type(child)}" for child in _children(field.path))
    return f"STRUCT<{inner}>"


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
