"""The demo with a simulated fleet, until Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final, NoReturn

from deploy.demo.fleet import fleet_config
from deploy.demo.pipeline import Pipeline
from deploy.errors import ProgramFailedError
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import log_tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_EVERY: Final = 0.5


def run_fleet(data: Path, snapshots: Path, sensors: int, report: Callable[[str], None]) -> None:
    """Show the analytics of a simulated fleet until Ctrl-C, then stop all in order.

    Args:
        data: an empty folder.
        snapshots: where the job appends its snapshots.
        sensors: how many there are; each gives one reading a second.
        report: shows one line of progress.

    Raises:
        StackError: a part cannot be started, or died.
    """
    with (
        contextlib.suppress(KeyboardInterrupt),
        Pipeline(
            data, snapshots=snapshots, scope="window", show_job=True, report=report
        ) as pipeline,
    ):
        try:
            _watch(pipeline, sensors, report)
        except KeyboardInterrupt:
            report("stopping: agent, bridge, job, Kafka, MQTT broker")


def _watch(pipeline: Pipeline, sensors: int, report: Callable[[str], None]) -> NoReturn:
    config = pipeline.data / "agent.toml"
    outbox = pipeline.data / "outbox.db"
    config.write_text(fleet_config(sensors, pipeline.stack.mqtt, outbox), encoding="utf-8")
    port = free_port()
    agent = pipeline.start_agent(
        *("run", "--config", str(config), "--metrics", f"{LOOPBACK}:{port}"), metrics=port
    )
    for line in (
        f"{sensors} simulated sensors, one reading a second each",
        f"MQTT       {pipeline.stack.mqtt}   topics isotherm/v1/readings/#",
        f"Kafka      {pipeline.stack.kafka}   topic iotmsgs",
        f"logs       {pipeline.data}/*.log",
        f"snapshots  {pipeline.snapshots}",
        "the analytics follow every 3 s; Ctrl-C stops everything",
    ):
        report(line)
    while True:
        time.sleep(_LOOK_EVERY)
        pipeline.check()
        if agent.ended() is not None:
            raise ProgramFailedError(f"the agent ended: {agent.fate()}", log_tail(agent.log))
