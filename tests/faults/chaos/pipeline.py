"""The whole pipeline on this machine, with every line and disk in our hand."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from deploy.demo.fleet.network import Proxy
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Guard
from deploy.local.services.java import find_java
from deploy.local.services.kafka import Kafka
from deploy.local.services.mosquitto import Mosquitto
from deploy.local.status.scrape import Samples, ask
from tests.faults.chaos.disks import Disk, no_disk
from tests.faults.chaos.parts import Broker, Program, Supervisor
from tests.faults.chaos.plan import (
    AGENTS,
    BRIDGE,
    DISKS,
    FULL_AGENT,
    JOB,
    KAFKA,
    LINES,
    MOSQUITTO,
    PAGE,
)
from tests.faults.chaos.recorded_agent import set_clock
from tests.faults.chaos.stranger import ANALYTICS, BRIDGE_ID
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

ROOT: Final = Path(__file__).resolve().parents[3]
PROBES: Final = 20
STATES: Final = ("CA", "TX", "HI", "AK")
_STARTS_WITHIN: Final = 300.0
_SIZES: Final = dict(zip(DISKS, (16, 2_048, 512), strict=True))
"""Megabytes."""
# A small outbox drops readings in an outage of some seconds, and says so with gaps.
_OUTBOXES: Final = dict(
    zip(
        AGENTS,
        (
            "",
            "min_free_bytes = 0\n",
            "max_rows = 1000\n",
            'max_rows = 1000\noverflow = "thin"\n',
        ),
        strict=True,
    )
)


_INTERVALS: Final = dict(zip(AGENTS, ("500ms", "500ms", "125ms", "125ms"), strict=True))
"""400 readings a second together; those with a small outbox fill it in 6 s."""


class LinedKafka(Kafka):
    """Listeners: a plain one, and one for each line, which says that it is at the line's proxy."""

    usual_ports: ClassVar[tuple[int, ...]] = (0, 0, 0, 0, 0)
    lines: ClassVar[tuple[str, ...]] = tuple(line for line in LINES if line.endswith(KAFKA))

    def line_up(self, proxies: dict[str, Proxy]) -> None:
        """Tell the proxies, before the start."""
        self._proxies = proxies

    def port_of(self, line: str) -> int:
        """Where a line's proxy connects to."""
        return self._ports[2 + self.lines.index(line)] if self._ports else 0

    def properties(self, *ports: int) -> str:
        """The profile with further listeners."""
        port, controller, *lined = ports
        names = [f"LINE{number}" for number in range(len(lined))]
        here = [f"{name}://{LOOPBACK}:{at}" for name, at in zip(names, lined, strict=True)]
        said = [
            f"{name}://{LOOPBACK}:{self._proxies[line].port}"
            for name, line in zip(names, self.lines, strict=True)
        ]
        plain = f"PLAINTEXT://{LOOPBACK}:{port}"
        kinds = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *names)]
        more = [
            super().properties(port, controller),
            f"listeners={','.join([plain, *here])},CONTROLLER://{LOOPBACK}:{controller}",
            f"advertised.listeners={','.join([plain, *said])}",
            f"listener.security.protocol.map={','.join(kinds)}",
        ]
        return "\n".join(more) + "\n"


class Pipeline:
    """Four agents, mosquitto, bridge, Kafka, job and page, as long as the context.

    Args:
        folder: an empty one, for everything.
        kafka_client: of the bridge.
        mounts: whether disks are small ones that can be full.
        report: shows a line.
    """

    def __init__(
        self, folder: Path, *, kafka_client: str, mounts: bool, report: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self._client = kafka_client
        self._mounts = mounts
        self._report = report
        self._guard = Guard()
        self._mosquitto = Mosquitto(folder, self._guard, None, usual_ports=False)
        self._kafka = LinedKafka(folder, self._guard, None, usual_ports=False, report=report)
        self.supervisor = Supervisor(report)
        self.lines: dict[str, Proxy] = {}
        self.disks: dict[str, Disk] = {}
        self.ports = {name: free_port() for name in (*AGENTS, BRIDGE, JOB, PAGE)}
        self._running = ExitStack()

    @property
    def kafka(self) -> str:
        """Kafka, past all lines."""
        return f"{LOOPBACK}:{self._kafka.port}"

    @property
    def mqtt_port(self) -> int:
        """mosquitto's, past all lines."""
        return self._mosquitto.port

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._guard.close)
            self._make_disks(starting)
            self._make_lines(starting)
            starting.callback(self.supervisor.close)
            self._start_brokers()
            self._start_programs()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def clock(self, agent: str) -> Path:
        """The file that says by how much its clock is wrong."""
        return self.folder / f"{agent}.clock"

    def journal(self, agent: str) -> Path:
        """What it says that it made."""
        return self.folder / f"{agent}.journal"

    def logs(self) -> list[Path]:
        """Of all parts."""
        return sorted(self.folder.glob("*.log"))

    def configure(self, agent: str, interval: str) -> None:
        """Write its configuration.

        Args:
            agent: which.
            interval: between two readings of a probe.
        """
        number = AGENTS.index(agent)
        url = f"mqtt://{LOOPBACK}:{self.lines[f'{agent} to {MOSQUITTO}'].port}"
        outbox = self._place(f"{agent} disk", agent) / "outbox.db"
        probes = "".join(
            f'[[probe]]\nguid = "{agent}-{probe:02d}"\ndriver = "simulated"\n'
            f'interval = "{interval}"\n'
            for probe in range(PROBES)
        )
        (self.folder / f"{agent}.toml").write_text(
            f'[device]\nid = "{agent}"\nstate = "{STATES[number]}"\n'
            f'[mqtt]\nurl = "{url}"\nkeepalive = "10s"\nstatus_interval = "10s"\n'
            f'[outbox]\npath = {json.dumps(str(outbox))}\ncommit_interval = "500ms"\n'
            f"{_OUTBOXES[agent]}"
            f'[clock]\nwait = "5s"\n{probes}',
            encoding="utf-8",
        )

    def number(self, part: str, metric: str) -> float | None:
        """One of a part's metrics; None where it does not answer."""
        answer = ask(self.ports[part], "/metrics")
        return Samples(answer.body).sum(metric) if answer and answer.status == 200 else None

    def shown(self) -> dict[str, Any] | None:
        """The snapshot that the page shows."""
        answer = ask(self.ports[PAGE], "/api/snapshot")
        if answer is None or answer.status != 200:
            return None
        found: dict[str, Any] | None = json.loads(answer.body)["snapshot"]
        return found

    def _place(self, disk: str, name: str) -> Path:
        """The folder of what has a disk of its own, and of what has none."""
        folders = {
            f"{FULL_AGENT} disk": self.folder / FULL_AGENT,
            "kafka disk": self.folder / KAFKA / "logs",
            "job disk": self.folder / JOB,
        }
        return folders.get(disk, self.folder / name)

    def _make_disks(self, starting: ExitStack) -> None:
        for agent in AGENTS:
            (self.folder / agent).mkdir(parents=True)
        for name, size in _SIZES.items():
            folder = self._place(name, "")
            if self._mounts:
                self.disks[name] = starting.enter_context(Disk(folder, size))
            else:
                starting.enter_context(no_disk(folder))

    def _make_lines(self, starting: ExitStack) -> None:
        for line in LINES:
            proxy = Proxy(partial(self._port_behind, line))
            self.lines[line] = starting.enter_context(proxy)
        self._kafka.line_up(self.lines)

    def _port_behind(self, line: str) -> int:
        return self._kafka.port_of(line) if line.endswith(KAFKA) else self._mosquitto.port

    def _start_brokers(self) -> None:
        self._report("starting mosquitto and Kafka")
        for service in (self._mosquitto, self._kafka):
            service.prepare()
            service.launch()
            self.supervisor.add(Broker(service))
        for service in (self._mosquitto, self._kafka):
            service.wait_ready()

    def _start_programs(self) -> None:
        self._report("starting bridge, job, page and agents")
        lines = {line: f"{LOOPBACK}:{proxy.port}" for line, proxy in self.lines.items()}
        listen = {name: f"{LOOPBACK}:{port}" for name, port in self.ports.items()}
        job = self._place("job disk", JOB)
        self._start(
            *(JOB, "aggregator.cli.main", "submit", "--kafka", lines["job to kafka"]),
            *("--scope", "both", "--trigger", "2 seconds", "--metrics", listen[JOB]),
            *("--checkpoint", str(job / "checkpoint"), "--snapshots", str(job / "s.jsonl")),
            *("--analytics-topic", ANALYTICS),
        )
        self._start(
            *(BRIDGE, "bridge.cli", "run", "--mqtt", f"mqtt://{lines['bridge to mosquitto']}"),
            *("--kafka", lines["bridge to kafka"], "--client-id", BRIDGE_ID),
            *("--kafka-client", self._client, "--metrics", listen[BRIDGE]),
        )
        # The broker keeps nothing for a session that it does not know yet.
        self._await(lambda: self.number(BRIDGE, "isotherm_bridge_ready") == 1, "the bridge")
        self._start(
            *(PAGE, "dashboard.cli", "run", "--kafka", lines["page to kafka"]),
            *("--topic", ANALYTICS, "--job", f"http://{listen[JOB]}", "--listen", listen[PAGE]),
            *("--alert-mqtt", f"mqtt://{LOOPBACK}:{self.mqtt_port}"),
        )
        for agent in AGENTS:
            set_clock(self.clock(agent), 0)
            self.configure(agent, _INTERVALS[agent])
            self._program(
                agent,
                *("-m", "tests.faults.chaos.recorded_agent"),
                *(str(self.journal(agent)), str(self.clock(agent))),
                *("run", "--config", str(self.folder / f"{agent}.toml")),
                *("--metrics", listen[agent]),
            )
        self._await(lambda: self.shown() is not None, "the page's first snapshot")

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        def looked() -> bool:
            self.supervisor.look()
            return condition()

        await_true(looked, what, _STARTS_WITHIN)

    def _start(self, name: str, module: str, *arguments: str) -> None:
        call = f"import sys; from {module} import main; sys.exit(main())"
        self._program(name, "-c", call, *arguments)

    def _program(self, name: str, *words: str) -> None:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "JAVA_HOME": str(find_java()),
            "SPARK_LOCAL_IP": LOOPBACK,
            # Java's second compiler pays off after minutes, and takes the two cores from the rest.
            "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1",
        }
        part = Program(
            name,
            [sys.executable, *words],
            log=self.folder / f"{name}.log",
            guard=self._guard,
            environ=environ,
        )
        part.launch()
        self.supervisor.add(part)


def unable(*, mounts: bool) -> Collection[str]:
    """Targets that cannot be reached without small disks."""
    return () if mounts else DISKS
