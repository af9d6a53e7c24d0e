"""A measure that is added to the table for a trial, in a process of its own.

``python -m tests.aggregator.support.added_measure LEDGER BATCH`` adds it, counts two batches from
BATCH on in the ledger, and prints as JSON what there is of the measure in each place.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aggregator.analytics import measures

TRIAL = measures.Measure(
    name="trial",
    fold=measures.SUM,
    shown=measures.Shown(heading="trial", about="Sum of the temperatures"),
)
# Before all that reads the table is imported.
measures.MEASURES = (*measures.MEASURES, TRIAL)  # type: ignore[misc,assignment]
measures.SHOWN = (*measures.SHOWN, TRIAL)  # type: ignore[misc]

from aggregator.analytics.snapshot import Snapshot, to_json  # noqa: E402
from aggregator.cli import history  # noqa: E402
from aggregator.ledger import report  # noqa: E402
from aggregator.ledger.ledger import Ledger  # noqa: E402
from aggregator.monitoring.counters import Observed  # noqa: E402
from aggregator.monitoring.view import View  # noqa: E402
from aggregator.sinks.table import render_table  # noqa: E402
from aggregator.stream.trigger import Triggers  # noqa: E402
from aggregator.stream.workers.partial_sums import WITH_MOMENTS  # noqa: E402
from tests.aggregator.monitoring.test_metrics import shown  # noqa: E402
from tests.aggregator.support.event_oracle import SLIDING, at, made  # noqa: E402
from tests.aggregator.support.records import summed  # noqa: E402


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def emit(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def close(self) -> None:
        """Nothing is open."""


def main(path: Path, batch: int) -> None:
    """Count, and say what came of it."""
    # Three of one sensor, one of them twice, and one of a sensor that the ledger has no room for.
    first = [made(51, seq=batch + 11), made(53, seq=batch + 12), made(53, seq=batch + 12)]
    later = [made(52, seq=batch + 13), made(55.5, "other", "OH", seq=1)]
    folder = path.with_suffix(".history")
    folder.mkdir(exist_ok=True)
    kept = Kept()
    with Ledger(path, SLIDING, capacity=1) as ledger:
        before = ledger.known_from()
        triggers = Triggers(
            scopes=("window", "since_start", "event"),
            ledger=ledger,
            sinks=[kept],
            clock=lambda: at(100),
        )
        for number, records in enumerate((first, later)):
            rows = summed(records, schema=WITH_MOMENTS)
            triggers.batch("q", batch + number, lambda rows=rows: rows)  # type: ignore[misc]
    observed = Observed(lambda: 0.0)
    observed.emit(kept.snapshots[-1])
    lines = [to_json(snapshot) for snapshot in kept.snapshots]
    (folder / "snapshots.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with history.query(folder, "SELECT scope, state, trial FROM temperature ORDER BY ALL") as found:
        trials = found.fetchall()
    with report.opened(path) as connection:
        exported = [row.get("trial_temperature") for row in report.exported(connection)]
        problems = report.problems(connection)
    print(
        json.dumps(
            {
                "rows": summed(first).column("trial").to_pylist(),
                "before": before,
                "snapshots": [json.loads(line) for line in lines],
                "table": render_table(kept.snapshots[-1], 100),
                "metrics": {
                    name: value
                    for name, value in shown(View(observed=observed, trigger=3.0)).items()
                    if "trial" in name
                },
                "history": trials,
                "exported": exported,
                "problems": problems,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
