"""Starts the real job under the real spark-submit, and reads what it gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
from confluent_kafka import Producer

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.measures import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HOME = Path(pyspark.__file__).parent
ROOT = Path(__file__).resolve().parents[3]
QUICK_JAVA = "-XX:TieredStopAtLevel=1"
"""Java's second compiler takes a third of a start's CPU time, and pays off only after minutes."""
ENVIRONMENT = {
    **os.environ,
    "SPARK_SUBMIT_OPTS": f"{QUICK_JAVA} {os.environ.get('SPARK_SUBMIT_OPTS', '')}".strip(),
    "SPARK_HOME": str(HOME),
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_LOCAL_IP": "127.0.0.1",
}
PATIENCE = 300.0
"""Seconds; only a job that hangs takes as long, also on a machine that does much else."""


def send(stack: Any, topic: str, values: Iterable[bytes | None], *, partition: int = -1) -> None:
    """Write records; the partition is chosen by Kafka's client unless one is named."""
    producer = Producer({"bootstrap.servers": stack.kafka, "acks": "all"})
    for number, value in enumerate(values):
        producer.produce(topic, value=value, key=str(number), partition=partition)
    assert producer.flush(30) == 0


def submit(*words: object) -> subprocess.CompletedProcess[str]:
    """Run spark-submit to its end."""
    return execute(HOME / "bin" / "spark-submit", *words)


def execute(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(word) for word in words],
        check=False,
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def analytics(scope: dict[str, Any]) -> Analytics:
    rows = {name: tuple(map(tuple, scope[name])) for name in scope if name.endswith("by_state")}
    further = {measure.field: rows.pop(measure.field) for measure in SHOWN}
    four = {name: value for name, value in scope.items() if name not in further}
    return Analytics(**(four | rows), further=further)


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"the job ended with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running(command: list[str], output: Path) -> Iterator[subprocess.Popen[str]]:
    with output.open("w") as stdout, output.with_suffix(".err").open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=stdout, stderr=stderr, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def submitted(stack: Any, topic: str, snapshots: Path) -> list[str]:
    entry = "import sys; from aggregator.cli.main import main; sys.exit(main())"
    return [
        *(sys.executable, "-c", entry, "submit", "--kafka", stack.kafka, "--topic", topic),
        *("--checkpoint", str(snapshots.with_name("ck")), "--snapshots", str(snapshots)),
        *("--trigger", "1 second"),
    ]


def counted(snapshots: Path) -> int:
    """The valid readings of all triggers."""
    return sum(line["scopes"]["window"]["total_messages"] for line in lines(snapshots))
