from __future__ import annotations

import re

from edge_agent.mqtt.message import Fate
from edge_agent.probes.fault import Fault
from edge_agent.probes.status import ProbeStatus
from edge_agent.reporting.http import FRESH, STUCK, HttpReporter
from edge_agent.reporting.metrics import METRICS, PREFIX, View
from isotherm.log import Log
from isotherm.tasks import Tasks


class _Loop:
    """A main loop that turns when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.rows = 1
        self.tasks = Tasks(Log("agent"))
        self.observer = HttpReporter(self._view, self.tasks, lambda: self.now)

    def _view(self) -> View:
        probe = ProbeStatus(Fault.CRC, "", 0, 7, {Fault.CRC: 2}, 1)
        return View(
            turned=self.now,
            connected=True,
            connections=3,
            under_way=4,
            rows=self.rows,
            dropped=5,
            in_memory=True,
            fates=dict.fromkeys(Fate, 6),
            task_ends=0,
            part_failures=0,
            probes={'a"b': probe},
        )

    def turn(self) -> None:
        self.observer.turn(self.now)


def test_a_view_stands_for_a_moment_and_is_renewed_in_the_main_loop_alone() -> None:
    loop = _Loop()
    loop.rows = 2
    loop.turn()
    assert "isotherm_agent_outbox_readings 1\n" in loop.observer.exposition()
    loop.now += FRESH
    assert "isotherm_agent_outbox_readings 1\n" in loop.observer.exposition()
    loop.turn()
    assert "isotherm_agent_outbox_readings 2\n" in loop.observer.exposition()


def test_a_main_loop_that_stands_still_is_no_health() -> None:
    loop = _Loop()
    loop.now += STUCK
    assert loop.observer.faults() == []
    loop.now += 1.0
    assert loop.observer.faults() == ["the main loop has not turned for 11 s"]
    loop.turn()
    assert loop.observer.faults() == []


def test_a_thread_that_has_ended_is_no_health() -> None:
    loop = _Loop()
    loop.tasks.start("writer", lambda: None, stopping=lambda: False).join()
    (fault,) = loop.observer.faults()
    assert fault.startswith("the task writer has ended")


def test_every_metric_has_help_and_type_and_the_names_that_prometheus_wants() -> None:
    text = _Loop().observer.exposition()
    for row in METRICS:
        name = PREFIX + row.name
        assert (row.kind == "counter") == name.endswith("_total")
        assert text.count(f"# HELP {name} {row.help}\n# TYPE {name} {row.kind}\n{name}") == 1
    assert 'isotherm_agent_probe_up{probe="a\\"b"} 0\n' in text
    assert 'isotherm_agent_probe_faults_total{probe="a\\"b",fault="crc"} 2\n' in text
    line = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? [0-9.]+')
    samples = [sample for sample in text.splitlines() if not sample.startswith("#")]
    assert all(line.fullmatch(sample) for sample in samples)
