"""How long the page takes for its updates: measured and printed, never asserted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dashboard.support.browser import chromium
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import dashboard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

_WATCH = """
    window.long = []; window.shift = 0;
    const watch = (type, take) => new PerformanceObserver(
        list => list.getEntries().forEach(take)).observe({ type, buffered: true });
    watch("longtask", entry => window.long.push([entry.startTime, entry.duration]));
    watch("layout-shift", entry => window.shift += entry.value);
"""


def test_every_update_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "snapshots.jsonl"
    append(file, *(snapshot(i, ago=3600 - i * 10) for i in range(1, 340)), snapshot(340))
    with dashboard(file) as served, chromium() as page:
        page.driver.get(served.url)
        page.await_pulse("live")
        page.run(_WATCH)
        loaded = page.run("return performance.now()")
        for batch in range(341, 361):
            append(file, snapshot(batch, warmer=batch % 7))
            page.await_text("[data-tile=messages]", f"{31_204 + batch:,}")
        long = page.run("return window.long")
        shift = page.run("return window.shift")
        paint = page.run("return performance.getEntriesByType('paint').map(e => e.startTime)")
    updating = [round(duration) for start, duration in long if start > loaded]
    with capsys.disabled():
        print(
            f"\nfirst paint {min(paint):.0f} ms; 20 updates: tasks over 50 ms {updating};"
            f" layout shift {shift:.4f}"
        )
