"""Grafana's dashboards: their files, their layout, and queries that Prometheus takes."""

from __future__ import annotations

import json
import subprocess
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from deploy.grafana.__main__ import DASHBOARDS, FOLDER, path
from deploy.grafana.dashboard import Dashboard, to_json
from tests.support.promtool import find_promtool

if TYPE_CHECKING:
    from pathlib import Path

each = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
UNITS = {"short", "s", "cps", "bytes", "fahrenheit", "bool_on_off"}


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    return list(json.loads(to_json(dashboard))["panels"])


@each
def test_the_file_is_up_to_date(dashboard: Dashboard) -> None:
    text = path(dashboard.uid).read_text(encoding="utf-8")
    assert text == to_json(dashboard), "stale; run: python -m deploy.grafana"


def test_the_addresses_of_the_dashboards_stay() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {"isotherm-fleet", "isotherm-pipeline"}


@each
def test_each_panel_says_what_it_shows_and_in_which_unit(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
            assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
            assert panel["targets"]


@each
def test_no_two_panels_share_a_number_or_a_place(dashboard: Dashboard) -> None:
    shown = panels(dashboard)
    assert len({panel["id"] for panel in shown}) == len(shown)
    for one, other in combinations([panel["gridPos"] for panel in shown], 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in shown)


@pytest.mark.integration
@each
def test_prometheus_understands_every_query(dashboard: Dashboard, tmp_path: Path) -> None:
    queries = [query["expr"] for panel in panels(dashboard) for query in panel.get("targets", ())]
    rules = [
        {"record": f"query:{place}", "expr": query.replace("$__rate_interval", "1m")}
        for place, query in enumerate(queries)
    ]
    # JSON is YAML.
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [find_promtool(), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
