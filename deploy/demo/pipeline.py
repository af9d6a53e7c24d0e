"""The parts of the pipeline: started beside each other, watched, and stopped in order."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from deploy.errors import ProgramFailedError
from deploy.local import Stack
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Child, Guard, log_tail
from deploy.local.services.java import find_java
from deploy.local.state import AGENT, BRIDGE, JOB, PAGE
from deploy.local.status.scrape import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROOT: Final = Path(__file__).resolve().parents[2]
_LOOK_EVERY: Final = 0.1
_PAGE_PORT: Final = 8787
_READY_WITHIN: Final = 60.0
# Spark finishes the batch in hand.
_STOP_WITHIN: Final = 60.0


class Pipeline:
    """Stack, bridge and job in one folder; agents are added by `start_agent`.

    Args:
        data: an empty folder for everything.
        snapshots: where the job appends its snapshots.
        scope: the job's scope: window, since_start or both.
        show_job: whether the job's console goes to ours; else into its log.
        java_options: for Spark's Java.
        job_options: further flags of the job.
        report: shows one line of progress.
    """

    def __init__(
        self,
        data: Path,
        *,
        snapshots: Path,
        scope: str,
        show_job: bool,
        java_options: str = "",
        job_options: Sequence[str] = (),
        report: Callable[[str], None],
    ) -> None:
        self.data = data
        self.snapshots = snapshots
        self._scope = scope
        self._show_job = show_job
        self._java_options = java_options
        self._job_options = job_options
        self._report = report
        self.job_port = free_port()
        self._guard = Guard()
        # Chosen before Kafka starts, so that Spark, which takes longest, can start before it.
        self.stack = Stack(
            data, mqtt_port=free_port(), kafka_port=free_port(), usual_ports=False, report=report
        )
        self.job: Child | None = None
        self.bridge: Child | None = None
        self.page: Child | None = None
        self.agents: list[Child] = []
        self._watched: list[Child] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_agent(self, *arguments: str, name: str = "agent") -> Child:
        """Start ``isotherm-agent`` with these arguments; `run` is shown by `status`.

        Args:
            arguments: of the program.
            name: of its log, and for people.
        """
        if arguments[0] != "run":
            agent = self._program(name, "edge_agent.cli", *arguments)
        else:
            agent = self._observed(name, AGENT, "edge_agent.cli", *arguments)
            self._watched.append(agent)
        self.agents.append(agent)
        return agent

    def start_page(self, topic: str) -> str:
        """Start ``isotherm-dashboard``, and wait until it answers.

        Args:
            topic: of the snapshots.

        Returns:
            Its address.

        Raises:
            ProgramFailedError: it ended, or does not answer.
        """
        port = free_port(_PAGE_PORT)
        self.page = self._program(
            *("page", "dashboard.cli", "run", "--kafka", self.stack.kafka),
            *("--topic", topic, "--job", f"http://{LOOPBACK}:{self.job_port}"),
            *("--listen", f"{LOOPBACK}:{port}"),
        )
        self.stack.adopt(self.page, port=port, kind=PAGE)
        self._await(self.page, lambda: ask(port, "/healthz") is not None)
        return f"http://{LOOPBACK}:{port}/"

    def check(self) -> None:
        """Look whether all that should run still runs.

        Raises:
            ProgramFailedError: a part has died.
        """
        self.stack.check()
        for child in (self.bridge, self.job, self.page, *self._watched):
            if child is not None and child.ended() is not None:
                raise ProgramFailedError(
                    f"the {child.name} ended: {child.fate()}", log_tail(child.log)
                )

    def stop(self) -> None:
        """Stop what runs in the order in which readings travel, so that each part drains."""
        for child in (*self.agents, self.bridge, self.job, self.page):
            if child is not None:
                child.stop(_STOP_WITHIN)
        self.agents = []
        self._watched = []
        self.bridge = self.job = self.page = None
        self.stack.stop()
        self._guard.close()

    def _start(self) -> None:
        self.stack.prepare()
        self._report("starting Spark, MQTT broker, Kafka, bridge")
        self.job = self._program(
            "job",
            "aggregator.cli.main",
            *("submit", "--kafka", self.stack.kafka, "--scope", self._scope),
            *("--trigger", "3 seconds", "--checkpoint", str(self.data / "checkpoint")),
            *("--snapshots", str(self.snapshots), "--metrics", f"{LOOPBACK}:{self.job_port}"),
            *self._job_options,
        )
        self.stack.adopt(self.job, port=self.job_port, kind=JOB)
        self.stack.start()
        self.bridge = self._observed(
            *("bridge", BRIDGE, "bridge.cli", "run"),
            *("--mqtt", self.stack.mqtt, "--kafka", self.stack.kafka),
        )
        self._await_bridge()

    def _await_bridge(self) -> None:
        # Its subscription must be there before the first reading is: the broker keeps nothing
        # for a session that it does not know yet.
        bridge = self.bridge
        assert bridge is not None
        self._await(bridge, lambda: b" bridge ready " in bridge.log.read_bytes())

    def _await(self, child: Child, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProgramFailedError(
                    f"the {child.name} is not ready after {_READY_WITHIN:.0f} s",
                    log_tail(child.log),
                )
            time.sleep(_LOOK_EVERY)

    def _observed(self, name: str, kind: str, entry: str, *arguments: str) -> Child:
        port = free_port()
        child = self._program(name, entry, *arguments, "--metrics", f"{LOOPBACK}:{port}")
        self.stack.adopt(child, port=port, kind=kind)
        return child

    def _program(self, name: str, entry: str, *arguments: str) -> Child:
        # `entry` is the module of the console script in pyproject.toml.
        # The folder of the checkout is handed on, so that it works without being installed.
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
        call = f"import sys; from {entry} import main; sys.exit(main())"
        environ = {
            **os.environ,
            "PYTHONPATH": path,
            "JAVA_HOME": str(find_java()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_SUBMIT_OPTS": f"{self._java_options} {os.environ.get('SPARK_SUBMIT_OPTS', '')}",
        }
        on_console = name == "job" and self._show_job
        sys.stdout.flush()
        return Child(
            name,
            [sys.executable, "-c", call, *arguments],
            log=self.data / f"{name}.log",
            guard=self._guard,
            environ=environ,
            output=sys.stdout.fileno() if on_console else None,
            folder=self.data,
        )
