"""What a dashboard begins with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashboard.alerts.factory import make_alerts
from dashboard.settings import PREFIX, DashboardSettings
from isotherm.log import Log
from isotherm.settings.table import load
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path


def row(state: str) -> dict[str, Any]:
    moments = {"since": "2026-11-01T00:00:00Z", "at": "2026-11-01T00:00:00Z"}
    return {"name": "state-too-hot", "state": state, "value": 112.0, **moments}


def test_what_a_sink_that_is_gone_had_sent_does_not_fire_again(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    sinks = {"apprise": [row("TX")], "apprise-2": [row("NM")]}
    content = {"schema": "isotherm.alerts-told/1", "told": [row("AZ")], "sinks": sinks}
    file.write_text(json.dumps(content))
    flags = {"snapshots": "s.jsonl", "webhook": "http://127.0.0.1:9/", "state_file": str(file)}
    log = Log("test")
    alerts = make_alerts(load(DashboardSettings, PREFIX, flags=flags), log, Tasks(log))
    try:
        assert [alert.key.place for alert in alerts.firing] == ["AZ"]
    finally:
        alerts.close()
