"""What the page's server answers, as an OpenAPI 3.1 description: `openapi.json`, made whole.

The file has no version, and names the two schemas that stand in files of their own; a test holds
it to the routes and to them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from isotherm import VERSION
from isotherm.contract.schema import SCHEMAS

_HERE: Final = Path(__file__).parent
_SCHEMAS: Final = {
    "Snapshot": SCHEMAS / "snapshot.schema.json",
    "Alert": _HERE.parent / "alerts/alert.schema.json",
}


def description() -> dict[str, Any]:
    """The whole of it."""
    found: dict[str, Any] = _read(_HERE / "openapi.json")
    found["info"]["version"] = VERSION
    for name, path in _SCHEMAS.items():
        schema = found["components"]["schemas"][name]
        assert schema.pop("$ref") == path.name
        schema |= _read(path)
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
