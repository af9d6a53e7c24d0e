"""What only some jobs say: the window by event time, and counts that are approximate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aggregator.analytics.snapshot import to_json
from tests.dashboard.page.test_page import NOTHING
from tests.dashboard.support.browser import chromium
from tests.dashboard.support.fleet import snapshot
from tests.dashboard.support.server import dashboard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_the_event_window_and_approximate_counts_are_told(tmp_path: Path) -> None:
    file = tmp_path / "snapshots.jsonl"
    line = json.loads(to_json(snapshot(1)))
    line["scopes"]["event"] = line["scopes"]["window"] | {"total_messages": 4_711}
    line["event_window"] = line["window"] | {
        "watermark": line["window"]["end"],
        "too_late": 17,
        "ahead": 0,
        "exact_from": None,
    }
    beyond = {"messages": 5, "gaps": 0, "sensors": 5, "sensors_by_state": [["CA", 5]]}
    line["approximate"] = {
        "ledger_sensors": 10,
        "beyond": beyond,
        "relative_error": 0.016,
        "confidence": 0.95,
    }
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    with dashboard(file, "--stale-after", "10m") as served, chromium() as page:
        page.driver.get(served.url)
        page.await_pulse("live")
        # Where a job has it, it is what "now" means: the readings' own time.
        assert page.text("[data-tile=messages]") == "4,711"
        assert page.text("#as-of").startswith("readings from ")
        assert page.text("#as-of").endswith(", 17 too late for it")
        page.click("#scope label:nth-of-type(2)")
        page.await_text("[data-note=sensors]", "approximate")
        assert page.text("[data-tile=sensors]").startswith("≈ ")
        assert "within 1.6 % in 95 of 100 cases" in page.text("#notice")
        assert page.text("#as-of") == ""


def test_a_snapshot_of_before_has_no_minimum_and_a_ledger_of_before_says_since_when(
    tmp_path: Path,
) -> None:
    file = tmp_path / "snapshots.jsonl"
    line = json.loads(to_json(snapshot(1)))
    names = ("minimum_temperature_by_state", "maximum_temperature_by_state")
    for name in names:
        del line["scopes"]["window"][name]
    line["known_from"] = {names[0]: line["window"]["start"], names[1]: None}
    line["scopes"]["since_start"][names[1]] = []
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    with dashboard(file, "--stale-after", "10m") as served, chromium() as page:
        page.driver.get(served.url)
        page.await_pulse("live")
        page.click("[data-open=FL]")
        page.await_text("#trend-title", "Florida")
        assert page.texts("#figures dd") == ["70.7 °F", NOTHING, NOTHING]
        page.click("#scope label:nth-of-type(2)")
        page.await_text("#figures div:nth-child(2) dd", "58.2 °F")
        assert page.text("#figures div:nth-child(2) dt").startswith("Minimum, since ")
        assert page.texts("#figures div:nth-child(3) > *") == ["Maximum", NOTHING]
