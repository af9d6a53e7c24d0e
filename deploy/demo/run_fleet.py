"""The demo with a simulated fleet, until Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NoReturn

from deploy.demo.fleet.flaky_board import Board
from deploy.demo.fleet.fleet import fleet_config
from deploy.demo.fleet.third_party import Stranger
from deploy.demo.pipeline import Pipeline
from deploy.demo.snapshots import Snapshots
from deploy.demo.status_line import pulse
from isotherm.mqtt.topics import ANALYTICS_SUFFIX, KAFKA_READINGS

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.demo.report import Report

_LOOK_EVERY: Final = 0.5
_OFFLINE_AFTER: Final = "10s"
_ANALYTICS: Final = KAFKA_READINGS + ANALYTICS_SUFFIX


def run_fleet(data: Path, snapshots: Path, sensors: int, report: Report, *, page: bool) -> None:
    """Show the analytics of a simulated fleet until Ctrl-C, then stop all in order.

    Args:
        data: an empty folder.
        snapshots: where the job appends its snapshots.
        sensors: how many there are; each gives one reading a second.
        report: tells people.
        page: whether to start the page.

    Raises:
        StackError: a part cannot be started, or died.
    """
    # Who has the page before them needs no 200 lines every 3 s beside it.
    console = not (page and sys.stdout.isatty())
    pipeline = Pipeline(
        data,
        snapshots=snapshots,
        scope="both",
        show_job=console,
        job_options=(
            *("--analytics-topic", _ANALYTICS, "--offline-after", _OFFLINE_AFTER),
            *(() if console else ("--console", "off")),
        ),
        report=report,
    )
    with contextlib.suppress(KeyboardInterrupt), pipeline:
        try:
            address = pipeline.start_page(_ANALYTICS) if page else None
            _watch(pipeline, sensors, report, address=address, console=console)
        except KeyboardInterrupt:
            report("stopping: agents, bridge, job, page, Kafka, MQTT broker")


def _watch(
    pipeline: Pipeline, sensors: int, report: Report, *, address: str | None, console: bool
) -> NoReturn:
    config = pipeline.data / "agent.toml"
    outbox = pipeline.data / "outbox.db"
    config.write_text(fleet_config(sensors, pipeline.stack.mqtt, outbox), encoding="utf-8")
    with ExitStack() as stack:
        stranger = stack.enter_context(Stranger(pipeline.stack.kafka, KAFKA_READINGS))
        board = stack.enter_context(Board(pipeline, report))
        pipeline.start_agent("run", "--config", str(config))
        board.start()
        for line in (
            f"{sensors} simulated sensors, one reading a second each, and a board of its own",
            f"MQTT       {pipeline.stack.mqtt}   topics isotherm/v1/readings/#",
            f"Kafka      {pipeline.stack.kafka}   topics {KAFKA_READINGS}, {_ANALYTICS}",
            f"logs       {pipeline.data}/*.log",
            f"snapshots  {pipeline.snapshots}",
            "status     python -m deploy.local status",
            *(() if address is None else (f"page       {address}",)),
            "the analytics follow every 3 s; Ctrl-C stops everything"
            if console
            else "Ctrl-C stops everything",
        ):
            report(line)
        follow = Snapshots(pipeline.snapshots)
        while True:
            time.sleep(_LOOK_EVERY)
            pipeline.check()
            stranger.look()
            follow.read()
            # Before the first snapshot nobody could see what happens to it.
            if follow.last is not None:
                board.look()
            if not console:
                report.progress(pulse(follow.last, address))
