"""The demo with a file's readings: ends by itself once every line is accounted for."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.demo.dead_letters import DeadLetters
from deploy.demo.input_file import count_lines
from deploy.demo.output import analytics_text, rejected_text, times_text
from deploy.demo.pipeline import Pipeline
from deploy.demo.snapshots import Snapshots
from deploy.errors import ProgramFailedError
from deploy.local.process import log_tail

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.demo.report import Report
    from deploy.local.process import Child

_STALLED_AFTER: Final = 300.0
_FEW_LINES: Final = 100_000
_LOOK_EVERY: Final = 0.1
_SENT: Final = re.compile(r"(\d+) acknowledged")


@dataclass(slots=True)
class Account:
    """How many of the lines are where.

    Attributes:
        lines: lines of the file that are not blank.
        sent: lines that the MQTT broker has acknowledged.
        counted: records that Spark has seen.
        dead: dead letters.
    """

    lines: int
    sent: int = 0
    counted: int = 0
    dead: int = 0

    @property
    def settled(self) -> bool:
        """Whether every line is accounted for."""
        return self.counted + self.dead >= self.lines

    def __str__(self) -> str:
        return (
            f"{self.sent} of {self.lines} lines sent, {self.counted} counted by Spark, "
            f"{self.dead} dead letters"
        )


def run_file(data: Path, snapshots: Path, source: Path, report: Report) -> None:
    """Send a file's lines through the pipeline, and print the analytics over all of them.

    Args:
        data: an empty folder.
        snapshots: where the job appends its snapshots.
        source: one reading a line.
        report: tells people.

    Raises:
        StackError: the file cannot be sent, or a part cannot be started, died or stalled.
    """
    account = Account(count_lines(source))
    started = time.monotonic()
    job_started = time.time()
    follow = Snapshots(snapshots)
    with Pipeline(
        data,
        snapshots=snapshots,
        scope="both",
        show_job=False,
        java_options=_java_options(account.lines),
        report=report,
    ) as pipeline:
        ready = time.monotonic()
        letters = DeadLetters(pipeline.stack.kafka)
        try:
            report(f"sending {account.lines} lines")
            agent = pipeline.start_agent("replay", str(source), "--mqtt", pipeline.stack.mqtt)
            sent = _settle(pipeline, agent, account, follow, letters, report=report)
        finally:
            letters.close()
        ended = time.monotonic()
        print(analytics_text(follow.analytics, time.time()))
        print(rejected_text(letters.by_reason, follow.rejected))
        if (more := account.counted + account.dead - account.lines) > 0:
            print(f"Delivered more than once: {more}")
        began = follow.began or job_started
        print(
            times_text(
                ended - started,
                [
                    ("MQTT broker, Kafka and bridge", ready - started),
                    ("Spark's start beside them", began - job_started),
                    ("replay", sent - ready),
                    ("Spark's counting", time.time() - began),
                ],
            ),
            flush=True,
        )
        report("stopping")


def _java_options(lines: int) -> str:
    # Java's second compiler pays off only later; at the start it takes a third of the CPU time.
    quick = " -XX:TieredStopAtLevel=1" if lines <= _FEW_LINES else ""
    return f"-Dspark.ui.enabled=false{quick}"


def _settle(
    pipeline: Pipeline,
    agent: Child,
    account: Account,
    follow: Snapshots,
    letters: DeadLetters,
    *,
    report: Report,
) -> float:
    """Wait until every line is accounted for.

    Returns:
        When the agent had sent all, by the monotonic clock.
    """
    sent = moved = time.monotonic()
    last = str(account)
    while True:
        letters.read(_LOOK_EVERY)
        follow.read()
        account.sent = lines_sent(log_tail(agent.log, lines=1)) or account.sent
        account.counted = follow.counted
        account.dead = letters.by_reason.total()
        sending = agent.ended() is None
        now = time.monotonic()
        if sending:
            sent = now
        elif agent.ended() != 0:
            raise ProgramFailedError(
                f"the agent could not send every line: {agent.fate()}", log_tail(agent.log)
            )
        elif account.settled:
            report(str(account))
            return sent
        pipeline.check()
        if str(account) != last:
            last, moved = str(account), now
        report.progress(f"{account}{'' if follow.first else '; Spark is starting'}")
        if now - moved > _STALLED_AFTER:
            raise ProgramFailedError(
                f"nothing has moved for {_STALLED_AFTER:.0f} s: {account}; "
                f"the logs are in {pipeline.data}"
            )


def lines_sent(said: str) -> int | None:
    """How many lines the MQTT broker has acknowledged, by the last words of the agent's log."""
    found = _SENT.findall(said)
    return int(found[-1]) if found else None
