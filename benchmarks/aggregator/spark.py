"""A program under spark-submit: started, watched through Spark's own progress, stopped, resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.usage import session
from deploy.errors import ProgramFailedError
from deploy.local.process import Child, Guard, log_tail
from deploy.local.services.java import find_java

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRESS: Final = "Streaming query made progress: "
_LOOK_S: Final = 0.02
PATIENCE_S: Final = 300.0

# Spark says how long each trigger took at this logger, whatever the program under it does.
_LOGGING: Final = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %m%n
logger.progress.name = org.apache.spark.sql.execution.streaming.runtime.ProgressReporter
logger.progress.level = info
"""
# Contenders that wait for their turn are stopped, and must not be taken for dead.
_SPARK: Final = """
spark.network.timeout 7200s
spark.executor.heartbeatInterval 3600s
"""


class Trigger(NamedTuple):
    """A trigger with data, as Spark tells of it.

    Attributes:
        start: seconds since 1970.
        seconds: the whole of it: offsets, planning, the batch, Spark's commits.
        parts: milliseconds by Spark's names of what it did.
        end: the sum of all offsets behind its last record.
    """

    start: float
    seconds: float
    parts: dict[str, int]
    end: int


class Program:
    """One contender's process with all that it started.

    Args:
        name: for people.
        command: the program and its arguments.
        folder: for its log.
        output: where it appends a JSON line for each batch.
        environ: beside ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        output: Path,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._output = output
        self._guard = Guard()
        self.started = time.time()
        self._child = Child(
            name,
            command,
            log=folder / f"{name.replace(' ', '-')}.log",
            guard=self._guard,
            environ={**os.environ, **python_path(), **(environ or {})},
        )

    @property
    def name(self) -> str:
        """For people."""
        return self._child.name

    def lines(self) -> list[dict[str, Any]]:
        """What it has written, but for idle triggers."""
        if not self._output.exists():
            return []
        text = self._output.read_text(encoding="utf-8")
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in found if not line.get("idle")]

    def triggers(self) -> list[Trigger]:
        """The triggers with data that Spark has told of."""
        return triggers(self._child.log.read_text(encoding="utf-8", errors="replace"))

    def await_lines(self, count: int) -> dict[str, Any]:
        """Wait until it has written so many; the last of them.

        Raises:
            ProgramFailedError: it ended, or does not get on.
        """
        self.wait(lambda: len(self.lines()) >= count, f"{count} results")
        return self.lines()[count - 1]

    def await_trigger(self, end: int) -> Trigger:
        """Wait until Spark has told of the trigger that took the record before offset sum `end`.

        Raises:
            ProgramFailedError: it ended, or does not get on.
        """
        self.wait(lambda: any(each.end >= end for each in self.triggers()), f"offsets to {end}")
        return next(each for each in self.triggers() if each.end >= end)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition while it runs.

        Raises:
            ProgramFailedError: it ended, or the patience did.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if self._child.ended() is not None or time.monotonic() > deadline:
                raise ProgramFailedError(
                    f"{self.name}: {self._child.fate()} before {what}", log_tail(self._child.log)
                )
            time.sleep(_LOOK_S)

    def cpu(self) -> float:
        """Seconds of CPU so far, with all that it started."""
        return sum(each.cpu for each in session(self._child.pid))

    def memory(self) -> dict[str, float]:
        """Peak resident memory by program, MB; the workers' Python is with the driver's."""
        found: dict[str, float] = {}
        for each in session(self._child.pid):
            found[each.name] = found.get(each.name, 0.0) + each.peak
        return found

    def pause(self) -> None:
        """Stop all of it until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End all of it at once."""
        self._signal(signal.SIGKILL)
        self._child.stop(kill=True)
        self._guard.close()

    def _signal(self, number: signal.Signals) -> None:
        for each in session(self._child.pid):
            try:
                os.kill(each.pid, number)
            except ProcessLookupError:
                continue  # a worker that ended meanwhile


def triggers(log: str) -> list[Trigger]:
    """The triggers with data of which a log tells to their end."""
    decoder = json.JSONDecoder()
    found = []
    for match in re.finditer(_PROGRESS, log):
        try:
            progress, _ = decoder.raw_decode(log, match.end())
        except ValueError:
            continue  # not written to its end yet
        if progress["numInputRows"]:
            found.append(_trigger(progress))
    return found


def _trigger(progress: dict[str, Any]) -> Trigger:
    (source,) = progress["sources"]
    (offsets,) = source["endOffset"].values()
    parts = progress["durationMs"]
    start = datetime.fromisoformat(progress["timestamp"]).timestamp()
    return Trigger(start, parts["triggerExecution"] / 1000, parts, sum(offsets.values()))


def python_path() -> dict[str, str]:
    """The variable that lets another Python find this checkout."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path}


def spark_environ(folder: Path) -> dict[str, str]:
    """What programs under spark-submit need beside our environment; writes into `folder`."""
    (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    (folder / "spark-defaults.conf").write_text(_SPARK, encoding="utf-8")
    return {
        "JAVA_HOME": str(find_java()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONF_DIR": str(folder),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_SUBMIT_OPTS": f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
    }
