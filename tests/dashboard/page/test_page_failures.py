"""The page while things fail: stale, nothing there, the server gone and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboard.support.browser import Browser, chromium
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import dashboard
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

STEP_S = 10
"""The trend's step: snapshots so far apart stand in steps of their own."""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def points(page: Browser, state: str) -> int:
    """How many steps of the last hour have a value, as the page counts them."""
    script = """
        const done = arguments[arguments.length - 1];
        import("/static/main.js").then(({ steps }) => done(steps("window", arguments[0])));
    """
    return int(page.driver.execute_async_script(script, state))


def test_a_stale_page_says_since_when(page: Browser, tmp_path: Path) -> None:
    file = tmp_path / "snapshots.jsonl"
    append(file, snapshot(1, ago=125))
    with dashboard(file) as served:
        page.driver.get(served.url)
        page.await_pulse("stale")
        assert page.text("#pulse-word") == "stale"
        assert "2 min" in page.text("#notice")
        assert "No snapshot since" in page.text("#notice")
        assert page.text("#stamp").startswith("stale: as of ")
        assert page.text("[role=status]").startswith("Stale.")
        append(file, snapshot(2))
        page.await_pulse("live")
        assert page.text("#stamp") == ""
        assert page.text("[role=status]") == "Live again."


def test_no_snapshot_yet_is_no_data(page: Browser, tmp_path: Path) -> None:
    file = tmp_path / "snapshots.jsonl"
    file.touch()
    with dashboard(file) as served:
        page.driver.get(served.url)
        page.await_pulse("empty")
        assert set(page.texts("#rows .strong")) == {"no data"}
        assert len(page.run("return [...document.querySelectorAll('.area.empty')]")) == 51
        append(file, snapshot(1))
        page.await_pulse("live")
        page.await_text("[data-tile=messages]", "31,205")


def test_a_source_that_cannot_be_read_is_named(page: Browser, tmp_path: Path) -> None:
    file = tmp_path / "snapshots.jsonl"
    with dashboard(file) as served:
        page.driver.get(served.url)
        page.await_pulse("down")
        assert "snapshots.jsonl" in page.text("#notice")
        append(file, snapshot(1))
        page.await_pulse("live")


def test_a_server_that_went_is_told_and_nothing_is_missed(page: Browser, tmp_path: Path) -> None:
    file = tmp_path / "snapshots.jsonl"
    append(file, *(snapshot(i, ago=(20 - i) * STEP_S) for i in range(1, 6)))
    with dashboard(file, "--stale-after", "10m") as served:
        page.driver.get(served.url)
        page.await_pulse("live")
        await_true(lambda: points(page, "CA") == 5, "the history")
        served.stop()
        page.await_pulse("lost")
        assert "cannot be reached since" in page.text("#notice")
        assert page.text("#stamp").startswith("disconnected: as of ")
        # What the job writes while nobody serves the page.
        append(file, *(snapshot(i, ago=(20 - i) * STEP_S) for i in range(6, 16)))
        page.run(
            "const fetched = window.fetch; window.asked = [];"
            "window.fetch = (url, options) =>"
            " { window.asked.push([url, options?.headers?.['Last-Event-ID'] ?? null]);"
            " return fetched(url, options); }"
        )
        served.start()
        page.await_pulse("live")
        page.await_text("[data-tile=messages]", f"{31_204 + 15:,}")
        await_true(lambda: points(page, "CA") == 15, "every step of the trend")
        resumed = page.run("return window.asked.filter(([url]) => url === '/events').at(-1)[1]")
        assert resumed, "the stream goes on after the last event that came"
        assert "reset" not in page.run("return window.asked.map(([url]) => url)")
        assert page.text("[role=status]") == "Live again."
