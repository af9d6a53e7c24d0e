"""What a ledger of many sensors costs a trigger, without Kafka and Spark.

``python -m benchmarks.ledger [--sensors N …] [--touched N …] [--runs N]``

Each size is a process of its own. It fills a ledger through `Triggers`, as the job does: tally,
transaction of the ledger, all analytics, snapshot as JSON. Then it measures triggers in which so
many sensors, drawn at random, have one reading more, and, with the capacity reached, triggers in
which as many new ones come. At last it kills itself with SIGKILL, and another process opens what is
left.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aggregator.analytics.measures import COUNT, MEASURES
from aggregator.analytics.scopes import SINCE_START, WINDOW
from aggregator.analytics.snapshot import to_json
from aggregator.ledger.ledger import Ledger
from aggregator.stream.trigger import Triggers
from aggregator.stream.workers.partial_sums import SCHEMA
from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.analytics.snapshot import Snapshot

_PORTION: Final = 500_000
_WARM_UP: Final = 2
_EVENT: Final = "2026-11-24T13:26:39.447974"


class Fleet:
    """Sensors whose readings come as the workers' rows: one row each, without holes."""

    def __init__(self, sensors: int) -> None:
        self.sensors = sensors
        self._seqs = np.zeros(sensors, np.int64)
        self._draw = np.random.default_rng(1)

    def drawn(self, count: int, among: int) -> Any:
        """Some of the first, in no order."""
        return self._draw.choice(among, min(count, among), replace=False)

    def rows(self, numbers: Any) -> Any:
        """One reading more of each of these sensors."""
        count = len(numbers)
        self._seqs[numbers] += 1
        seqs = pa.array(self._seqs[numbers])
        temperatures = pa.array((numbers % 600) / 7 + 10)
        ones, nothing = pa.array(np.ones(count, np.int64)), pa.array(np.zeros(count, np.int64))
        offsets = pa.array(np.arange(count + 1, dtype=np.int32))
        event = pa.array([_EVENT]).take(pa.array(np.zeros(count, np.int32)))
        columns = {
            "state": pa.array(STATES).take(pa.array(numbers % len(STATES))),
            "guid": pa.array([f"0-ZZZ{number:08d}-08K" for number in numbers.tolist()]),
            "epoch": pa.array(["5f1c0000000000a1"]).take(pa.array(np.zeros(count, np.int32))),
            # Of one reading, a sum is its temperature, as are the lowest and the highest.
            **{m.name: ones if m.fold is COUNT else temperatures for m in MEASURES},
            "min_seq": seqs,
            "max_seq": seqs,
            "first_event": event,
            "last_event": event,
            "unsynced": nothing,
            "late": nothing,
            "future": nothing,
            "runs": ones,
            "seqs": pa.ListArray.from_arrays(offsets, seqs),
            "temperatures": pa.ListArray.from_arrays(offsets, temperatures),
        }
        return pa.table(
            [columns.get(field.name, pa.nulls(count, field.type)) for field in SCHEMA],
            schema=SCHEMA,
        )


class Bytes:
    """Takes snapshots as JSON, as most sinks do."""

    def emit(self, snapshot: Snapshot) -> None:
        """Write it down, for nobody."""
        to_json(snapshot)

    def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A ledger with room for a fleet and not one sensor more."""

    def __init__(self, path: Path, sensors: int) -> None:
        self._path = path
        self._batch = 0
        self._triggers = Triggers(
            scopes=(WINDOW, SINCE_START),
            ledger=Ledger(path, capacity=sensors),
            sinks=[Bytes()],
            clock=time.time_ns,
        )

    def trigger(self, rows: Any) -> tuple[float, float]:
        """One trigger; wall-clock seconds and CPU-seconds."""
        began, used = time.perf_counter(), time.process_time()
        self._triggers.batch("q", self._batch, lambda: rows)
        self._batch += 1
        return time.perf_counter() - began, time.process_time() - used

    def measure(self, name: str, runs: int, rows: Callable[[], Any]) -> None:
        """Print what triggers with such rows take."""
        took = []
        for _ in range(runs + _WARM_UP):
            given = rows()
            gc.collect()
            took.append(self.trigger(given))
        wall, cpu = zip(*took[_WARM_UP:], strict=True)
        print(f"  {name:32}{_spread(wall)} s, {_spread(cpu)} CPU-s", flush=True)

    def size(self) -> float:
        """MB on disk."""
        return sum(f.stat().st_size for f in self._path.parent.glob(f"{self._path.name}*")) / 1e6


def fill(path: Path, sensors: int, touched: list[int], runs: int) -> None:
    """Fill, measure, and die."""
    fleet, bench = Fleet(2 * sensors), Bench(path, sensors)
    began = time.perf_counter()
    for first in range(0, sensors, _PORTION):
        bench.trigger(fleet.rows(np.arange(first, min(first + _PORTION, sensors))))
    print(f"\n{sensors:,} sensors in the ledger; filled in {time.perf_counter() - began:.0f} s")

    def drawn(count: int) -> Any:
        return fleet.rows(fleet.drawn(count, sensors))

    for count in touched:
        bench.measure(f"{count:,} touched", runs, partial(drawn, count))
    print(f"  file {bench.size():.0f} MB, peak memory {peak():.0f} MB")
    new = itertools.count(sensors, max(touched))
    bench.measure(
        f"{max(touched):,} new ones beyond",
        runs,
        lambda: fleet.rows(np.arange(first := next(new), first + max(touched)) % fleet.sensors),
    )
    print(f"  file {bench.size():.0f} MB, peak memory {peak():.0f} MB", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def opened(path: Path) -> None:
    """Open it and look at all."""
    began = time.perf_counter()
    ledger = Ledger(path)
    between = time.perf_counter()
    ledger.analytics()
    ledger.event_time()
    print(
        f"  opened after SIGKILL in {between - began:.2f} s, "
        f"its analytics in {time.perf_counter() - between:.2f} s"
    )


def peak() -> float:
    """The most memory that this process has had, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _spread(found: Sequence[float]) -> str:
    return f"{statistics.median(found):6.2f} ({min(found):.2f}-{max(found):.2f})"


def main() -> None:
    """Each size in turn."""
    parser = argparse.ArgumentParser(description="What a ledger of many sensors costs a trigger.")
    parser.add_argument(
        "--sensors", type=int, nargs="+", default=[1_000_000, 5_000_000, 10_000_000]
    )
    parser.add_argument("--touched", type=int, nargs="+", default=[300_000, 1_000])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--file", type=Path, help="fill this one, and die")
    parser.add_argument("--open", type=Path, help="only open this one")
    given = parser.parse_args()
    if given.open:
        opened(given.open)
    elif given.file:
        fill(given.file, given.sensors[0], given.touched, given.runs)
    else:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.runs} runs")
        for sensors in given.sensors:
            with tempfile.TemporaryDirectory(prefix="isotherm-bench-") as folder:
                file = Path(folder) / "ledger.duckdb"
                again = ["--sensors", str(sensors), "--runs", str(given.runs)]
                again += ["--touched", *map(str, given.touched), "--file", str(file)]
                command = [sys.executable, "-m", "benchmarks.ledger"]
                done = subprocess.run([*command, *again], check=False)
                if done.returncode != -signal.SIGKILL:
                    sys.exit(1)
                subprocess.run([*command, "--open", file], check=True)


if __name__ == "__main__":
    main()
