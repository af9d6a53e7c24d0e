"""A panel: one row of a dashboard's table, and the JSON that Grafana makes a panel of.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

COLUMNS: Final = 24
_RED: Final = "red"
_GREEN: Final = "green"


@dataclass(frozen=True, kw_only=True)
class Query:
    """What Prometheus is asked.

    Attributes:
        expr: PromQL.
        legend: what a line is called, with labels in ``{{}}``.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: a few words.
        about: a sentence or two, shown on hover: what it says, and when it is bad.
        kind: Grafana's type: ``stat``, ``timeseries`` or ``bargauge``.
        queries: what it shows.
        unit: Grafana's id of the unit.
        width: of 24 columns.
        height: of rows of 30 pixels.
        red: from which value on it is red; None for never.
        red_below: below which value it is red; None for never.
        words: text for values of a stat.
    """

    title: str
    about: str
    kind: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    height: int = 8
    red: float | None = None
    red_below: float | None = None
    words: tuple[tuple[int, str], ...] = ()


DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def panel_json(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    """The panel as Grafana has it, with its place."""
    shown: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": [_target(panel, query, place) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel.kind),
    }
    return shown


def _target(panel: Panel, query: Query, place: int) -> dict[str, Any]:
    instant = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + place),
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": instant,
        "range": not instant,
    }


def _field(panel: Panel) -> dict[str, Any]:
    if panel.red_below is not None:
        steps = [{"color": _RED, "value": None}, {"color": _GREEN, "value": panel.red_below}]
    elif panel.red is not None:
        steps = [{"color": _GREEN, "value": None}, {"color": _RED, "value": panel.red}]
    else:
        steps = [{"color": _GREEN, "value": None}]
    field: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        # No data is said, and never drawn as 0.
        "noValue": "no data",
    }
    if panel.words:
        options = {str(value): {"text": word, "index": value} for value, word in panel.words}
        field["mappings"] = [{"type": "value", "options": options}]
    if panel.kind == "timeseries":
        field["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 0,
            "spanNulls": False,
            "showPoints": "auto",
            "thresholdsStyle": {"mode": "line" if panel.red is not None else "off"},
        }
    if panel.kind == "bargauge":
        field["color"] = {"mode": "continuous-BlYlRd"}
    return field


def _options(kind: str) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match kind:
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "bargauge":
            return {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": last}
        case _:
            return {
                "colorMode": "value",
                "graphMode": "none",
                "textMode": "auto",
                "reduceOptions": last,
            }
