"""The description of the server's answers; tests/dashboard/web/test_server.py holds them to it."""

from __future__ import annotations

import json

from dashboard.alerts.alert import SCHEMA
from dashboard.web.openapi import description
from isotherm import VERSION
from isotherm.contract.schema import SCHEMAS
from isotherm.contract.states import STATES


def test_it_has_the_version_the_states_and_the_schemas() -> None:
    found = description()
    schemas = found["components"]["schemas"]
    snapshot = json.loads((SCHEMAS / "snapshot.schema.json").read_text("utf-8"))
    assert found["info"]["version"] == VERSION
    assert schemas["Snapshot"] == {"$id": "isotherm.snapshot", **snapshot}
    assert schemas["Alert"]["properties"]["schema"]["const"] == SCHEMA
    (state, _limit) = found["paths"]["/api/sensors/{state}"]["get"]["parameters"]
    assert state["schema"]["enum"] == list(STATES)
    assert schemas["Sensors"]["properties"]["state"]["enum"] == list(STATES)
