"""A dashboard: titled rows of panels, laid out from left to right, as one JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from deploy.grafana.panel import COLUMNS, Panel, panel_json

SCHEMA_VERSION: Final = 39
"""That of Grafana 10.4 and 11; newer ones migrate it when they load it."""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: stays for ever, since links and alerts name it.
        title: as in Grafana's list.
        about: one sentence.
        sections: (title, its panels).
    """

    uid: str
    title: str
    about: str
    sections: tuple[tuple[str, tuple[Panel, ...]], ...]


def to_json(dashboard: Dashboard) -> str:
    """The file that Grafana's provisioning reads."""
    shown = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["isotherm"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource()]},
        "annotations": {"list": [_alerts()]},
        "links": [
            {
                "title": "isotherm",
                "type": "dashboards",
                "tags": ["isotherm"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "panels": _panels(dashboard),
    }
    return json.dumps(shown, indent=1, ensure_ascii=False) + "\n"


def _panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in dashboard.sections:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        number = len(panels) + 1
        panels.append(
            {
                "id": number,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        y += 1
        x = tallest = 0
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            panels.append(panel_json(panel, len(panels) + 1, x, y))
            x += panel.width
            tallest = max(tallest, panel.height)
        y += tallest
    return panels


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "isotherm", "value": "isotherm-prometheus"},
        "hide": 0,
        "refresh": 1,
    }


def _alerts() -> dict[str, Any]:
    """Marks on every panel where an alert was firing."""
    return {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "expr": 'ALERTS{alertname=~"Isotherm.+", alertstate="firing"}',
        "step": "60s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{job}} {{instance}} {{state}}",
    }
