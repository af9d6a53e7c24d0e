"""What the page's server answers, as an OpenAPI 3.1 description; a test holds it to that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from isotherm import VERSION
from isotherm.contract.schema import SCHEMAS
from isotherm.contract.states import STATES

_TIME: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SOURCE: Final = {
    "type": "object",
    "description": "Where the snapshots come from, and whether they can come.",
    "required": ["kind", "name", "up", "why"],
    "properties": {
        "kind": {"enum": ["kafka", "file"]},
        "name": {"type": "string"},
        "up": {"type": "boolean"},
        "why": {"type": "string", "description": "What keeps them; empty while nothing does."},
    },
}
_ENVELOPE: Final = {
    "type": "object",
    "required": ["id", "now", "received", "source", "stale_after_s", "snapshot"],
    "properties": {
        "id": {"type": ["string", "null"], "description": "Of the event; for Last-Event-ID."},
        "now": _TIME,
        "received": {"oneOf": [{"type": "null"}, _TIME]},
        "source": {"$ref": "#/components/schemas/Source"},
        "stale_after_s": {"type": "number"},
        "snapshot": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Snapshot"}]},
    },
}
_SERIES: Final = {"type": "array", "items": {"type": ["number", "null"]}}
_HISTORY: Final = {
    "type": "object",
    "required": ["step_s", "times", "scopes", "totals"],
    "properties": {
        "step_s": _COUNT,
        "times": {"type": "array", "items": _TIME, "description": "Where each step begins."},
        "scopes": {
            "type": "object",
            "description": "By scope and state the last average in each step, degrees Fahrenheit.",
            "additionalProperties": {"type": "object", "additionalProperties": _SERIES},
        },
        "totals": {
            "type": "object",
            "description": "`messages`: readings that arrived in each step.",
            "required": ["messages"],
            "properties": {"messages": _SERIES},
        },
    },
}
_SENSORS: Final = {
    "type": "object",
    "required": ["state", "total", "sensors"],
    "properties": {
        "state": {"enum": list(STATES)},
        "total": _COUNT,
        "sensors": {
            "type": "array",
            "description": "Those that are offline first, then by name.",
            "items": {
                "type": "object",
                "required": [
                    "guid",
                    "last_seen",
                    "last_event",
                    "readings",
                    "average_temperature",
                    "offline",
                ],
                "properties": {
                    "guid": {"type": "string"},
                    "last_seen": _TIME,
                    "last_event": _TIME,
                    "readings": _COUNT,
                    "average_temperature": {"type": "number"},
                    "offline": {"type": "boolean"},
                },
            },
        },
    },
}
_ALERTS: Final = {
    "type": "object",
    "required": ["now", "alerts", "sinks"],
    "properties": {
        "now": _TIME,
        "alerts": {
            "type": "array",
            "description": "What is firing, the oldest first.",
            "items": {"$ref": "#/components/schemas/Alert"},
        },
        "sinks": {
            "type": "array",
            "description": "Who is told: webhook, mqtt.",
            "items": {
                "type": "object",
                "required": ["name", "sent", "failures", "given_up"],
                "properties": {
                    "name": {"enum": ["webhook", "mqtt"]},
                    "sent": _COUNT,
                    "failures": _COUNT,
                    "given_up": _COUNT,
                },
            },
        },
    },
}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}


def _json(name: str, about: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _text(about: str, kind: str = "text/plain") -> dict[str, Any]:
    return {"description": about, "content": {kind: {"schema": {"type": "string"}}}}


def _parameter(name: str, place: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "description": about,
        "required": place == "path",
        "schema": schema,
    }


def _get(about: str, *parameters: dict[str, Any], **answers: dict[str, Any]) -> dict[str, Any]:
    responses = {status.removeprefix("s"): answer for status, answer in answers.items()}
    return {"get": {"summary": about, "parameters": list(parameters), "responses": responses}}


def description() -> dict[str, Any]:
    """The whole of it."""
    here = Path(__file__).parents[1]
    snapshot = json.loads((SCHEMAS / "snapshot.schema.json").read_text(encoding="utf-8"))
    alert = json.loads((here / "alerts/alert.schema.json").read_text(encoding="utf-8"))
    return {
        "openapi": "3.1.0",
        "info": {"title": "isotherm-dashboard", "version": VERSION},
        "security": [{}, {"token": []}],
        "paths": {
            "/api/snapshot": _get("The newest snapshot.", s200=_json("Envelope", "It.")),
            "/api/history": _get(
                "Averages by state, in steps.",
                _parameter(
                    "minutes",
                    "query",
                    "How far back.",
                    {"type": "integer", "minimum": 1, "maximum": 60, "default": 60},
                ),
                s200=_json("History", "They."),
                s400=_json("Error", "Other minutes."),
            ),
            "/api/sensors/{state}": _get(
                "The sensors of a state, from the job's ledger.",
                _parameter("state", "path", "Its two letters.", {"enum": list(STATES)}),
                _parameter(
                    "limit",
                    "query",
                    "At most so many.",
                    {"type": "integer", "minimum": 1, "maximum": 200, "default": 100},
                ),
                s200=_json("Sensors", "They."),
                s400=_json("Error", "Another limit."),
                s404=_json("Error", "No such state."),
                s503=_json("Error", "The job does not say; the sentence has the fix."),
            ),
            "/api/alerts": _get("What is firing, and since when.", s200=_json("Alerts", "It.")),
            "/events": _get(
                "Server-Sent Events: `snapshot` (an Envelope, with its id), `source` (a Source), "
                "`reset` where the last event is not known any more; a comment every 5 s.",
                _parameter(
                    "Last-Event-ID", "header", "Begin behind this event.", {"type": "string"}
                ),
                _parameter("last_event_id", "query", "The same.", {"type": "string"}),
                s200=_text("Without end.", "text/event-stream"),
            ),
            "/metrics": _get("For Prometheus.", s200=_text("They.")),
            "/healthz": _get("Whether the server runs; no token.", s200=_text("It does.")),
            "/readyz": _get(
                "Whether the page's numbers are fresh.",
                s200=_text("They are."),
                s503=_text("A line for each reason why they are not."),
            ),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Snapshot": {"$id": "isotherm.snapshot", **snapshot},
                "Source": _SOURCE,
                "Envelope": _ENVELOPE,
                "History": _HISTORY,
                "Sensors": _SENSORS,
                "Alerts": _ALERTS,
                "Alert": {"$id": "isotherm.alert", **alert},
                "Error": _ERROR,
            },
        },
    }
