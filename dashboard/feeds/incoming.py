"""What the page takes in: a snapshot is checked whole before anything of it is kept.

Behind here nobody meets a text that cannot be encoded, a number that no float holds, a list without
end, or a value of another type than `snapshot.schema.json` says.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dashboard.feeds.json_schema import compiled
from isotherm.contract.foreign_json import decode
from isotherm.contract.schema import SCHEMAS

SCHEMA: Final = "isotherm.snapshot/1"
MAX_BYTES: Final = 1 << 20
"""Of a record or a line: what Kafka takes by default, and a hundred times what the job writes."""
_DESCRIBED: Final = SCHEMAS / "snapshot.schema.json"

Snapshot = dict[str, Any]

_SCHEMA: Final = json.loads(_DESCRIBED.read_text(encoding="utf-8"))
_wrong: Final = compiled(
    _SCHEMA,
    # What the page cannot do without. Others that write snapshots may leave the rest away; where it
    # is there it must be right.
    {
        "": frozenset({"schema", "query_id", "batch_id", "window", "scopes"}),
        "analytics": frozenset({"average_temperature_by_state", "total_messages"}),
    },
)
_SCOPES: Final = frozenset({"window", "since_start", "event"})
_PAIRS: Final = tuple(
    name for name in _SCHEMA["$defs"]["analytics"]["properties"] if name.endswith("_by_state")
)


def read(text: bytes) -> Snapshot:
    """The snapshot in a record or a line.

    Raises:
        ValueError: there is none that the page can show; the message says why.
    """
    found: Any = decode(text, max_bytes=MAX_BYTES)
    why = problem(found)
    if why is not None:
        raise ValueError(why)
    # A later version may have one that the page has no place for.
    scopes = {name: scope for name, scope in found["scopes"].items() if name in _SCOPES}
    return {**found, "scopes": scopes}


def problem(found: object) -> str | None:
    """Why something decoded is no snapshot that the page can show; None where it is one."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return f"it is not {SCHEMA}"
    try:
        _wrong(found, "")
    except ValueError as error:
        return str(error)
    scopes = {name: scope for name, scope in found["scopes"].items() if name in _SCOPES}
    if not scopes:
        return "it has no scope that is known"
    for name, scope in scopes.items():
        for pairs in _PAIRS:
            states = [state for state, _ in scope.get(pairs, ())]
            if len(set(states)) < len(states):
                return f"its scopes.{name}.{pairs} has a state twice"
    return None
