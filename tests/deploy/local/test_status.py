"""The table of `status`, and what metrics mean for it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aggregator.monitoring.metrics import METRICS as JOB_METRICS
from aggregator.monitoring.metrics import PREFIX as JOB_PREFIX
from bridge.monitoring.metrics import METRICS as BRIDGE_METRICS
from bridge.monitoring.metrics import PREFIX as BRIDGE_PREFIX
from dashboard.metrics import METRICS as PAGE_METRICS
from dashboard.metrics import PREFIX as PAGE_PREFIX
from deploy.local.process import started_at, wall_clock
from deploy.local.state import AGENT, BRIDGE, JOB, ProcessRecord, ServiceRecord, StackRecord
from deploy.local.status.part import Numbers, Part, numbers
from deploy.local.status.scrape import Samples, ask
from deploy.local.status.status import parts
from deploy.local.status.table import as_json, table
from edge_agent.reporting.metrics import METRICS as AGENT_METRICS
from edge_agent.reporting.metrics import PREFIX as AGENT_PREFIX
from isotherm.http.endpoint import Endpoint, metrics, verdict
from isotherm.http.prometheus import Metric, Sample, exposition
from isotherm.settings.address import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

PART = Path(__file__).parents[3] / "deploy/local/status/part.py"


def samples(values: Mapping[str, float]) -> Samples:
    return Samples("\n".join(f"{name} {value}" for name, value in values.items()))


def test_what_our_programs_export_is_read() -> None:
    rows: list[Metric[None]] = [
        Metric("a", "gauge", "One.", lambda _: [Sample(1.5)]),
        Metric(
            "b_total",
            "counter",
            "Two.",
            lambda _: [Sample(2, (("fate", 'd"e\\'),)), Sample(3, (("fate", "x"),))],
        ),
        Metric("c", "gauge", "None known.", lambda _: [Sample(float("nan"))]),
    ]
    found = Samples(exposition("p_", rows, None))
    assert found.sum("p_a") == 1.5
    assert found.sum("p_b_total") == 5
    assert found.sum("p_b_total", fate="x") == 3
    assert found.sum("p_none") is None


def test_every_metric_that_the_table_reads_is_exported() -> None:
    exported = {
        prefix + metric.name
        for prefix, table_ in (
            (AGENT_PREFIX, AGENT_METRICS),
            (BRIDGE_PREFIX, BRIDGE_METRICS),
            (JOB_PREFIX, JOB_METRICS),
            (PAGE_PREFIX, PAGE_METRICS),
        )
        for metric in table_
    }
    read = set(re.findall(r'"(isotherm_\w+)"', PART.read_text("utf-8")))
    assert len(read) == 11
    assert read <= exported


def test_a_rate_comes_from_two_looks() -> None:
    name = "isotherm_bridge_readings_delivered_total"
    found = numbers(BRIDGE, samples({name: 100}), samples({name: 500}), 2.0)
    assert (found.rate, found.rate_of) == (200.0, "readings/s")
    assert found.behind is None
    # It was started again between them.
    assert numbers(BRIDGE, samples({name: 100}), samples({name: 5}), 2.0).rate == 0


def test_an_agent_without_a_broker_is_not_up() -> None:
    said = {"isotherm_agent_mqtt_up": 0, "isotherm_agent_outbox_readings": 12}
    found = numbers(AGENT, samples(said), samples(said), 1.0)
    assert (found.trouble, found.behind) == ("no broker", 12)
    well = samples(said | {"isotherm_agent_mqtt_up": 1})
    assert numbers(AGENT, well, well, 1.0).trouble == ""


def test_a_lag_that_is_not_known_is_not_0() -> None:
    said = samples({"isotherm_aggregator_lag_offsets": float("nan")})
    assert numbers(JOB, said, said, 1.0).behind is None


def test_the_table_has_a_line_for_each_part(tmp_path: Path) -> None:
    well = Part(
        name="bridge",
        state="up",
        pid=7,
        since=1_000_000.0,
        address="127.0.0.1:9",
        numbers=Numbers(
            rate=1998.2, rate_of="readings/s", behind=0, behind_of="in flight", snapshot_age_s=1.24
        ),
        log=f"{tmp_path}/bridge.log",
    )
    head, first, second = table(
        [well, Part(name="kafka", state="stopped")], tmp_path, 1_000_010.0
    ).splitlines()
    assert head.split("  ")[0] == "part"
    assert re.sub(r" {2,}", "|", first) == (
        f"bridge|up|7|{time.strftime('%H:%M:%S', time.localtime(1_000_000))}|127.0.0.1:9"
        "|1,998 readings/s|0 in flight|1.2 s ago|bridge.log"
    )
    assert second.split() == ["kafka", "stopped", *"-------"]
    wire = json.loads(json.dumps(as_json(well)))
    assert wire["since"] == "1970-01-12T13:46:40Z"
    assert (wire["rate"], wire["log"]) == (1998.2, f"{tmp_path}/bridge.log")


def test_since_when_this_process_runs() -> None:
    started = started_at(os.getpid())
    assert started is not None
    wall = wall_clock(started)
    assert wall is not None
    # The system's count of ticks and its clock may differ a little.
    assert time.time() - 3600 < wall < time.time() + 2


@pytest.mark.parametrize(
    ("faults", "state"), (([], "up"), (["Kafka is away"], "not ready: Kafka is away"))
)
def test_a_program_is_asked_where_the_state_says(faults: list[str], state: str) -> None:
    text = "isotherm_bridge_messages_in_flight 3\n"
    pages = {"/metrics": lambda: metrics(text), "/readyz": lambda: verdict(faults)}
    with Endpoint(Address("http", "127.0.0.1", 0), pages) as endpoint:
        me = ProcessRecord.of(os.getpid())
        record = StackRecord(me, {"bridge": ServiceRecord(me, endpoint.port, "b.log", BRIDGE)})
        mosquitto, kafka, bridge = parts(record, between=0.01)
        answer = ask(endpoint.port, "/none")
    assert mosquitto.state == kafka.state == "stopped"
    assert (bridge.state, bridge.numbers.behind) == (state, 3)
    assert bridge.address == f"127.0.0.1:{endpoint.port}"
    assert answer is not None
    assert answer.status == HTTPStatus.NOT_FOUND


def test_a_program_that_is_gone_is_dead() -> None:
    me = ProcessRecord.of(os.getpid())
    former = ProcessRecord(me.pid, me.started - 1)
    record = StackRecord(me, {"job": ServiceRecord(former, 1, "job.log", JOB)})
    assert parts(record)[-1].state == "dead"


def test_what_is_no_sample_is_passed_over() -> None:
    found = Samples(
        "a 1\nb x\nc 1e999\nd NaN\n" + "e" * 100_000 + " 1\nf{" + "} " * 8_000 + "\n\ud800 1\n"
    )
    assert (found.sum("a"), found.sum("b"), found.sum("c")) == (1.0, None, None)
    assert math.isnan(found.sum("d") or 0.0)


def _drip(server: socket.socket, head: bytes, rest: bytes) -> None:
    client, _ = server.accept()
    with client, contextlib.suppress(OSError):
        client.sendall(head)
        while True:
            client.sendall(rest)
            if len(rest) < 100:
                threading.Event().wait(0.2)


@pytest.mark.parametrize(
    ("head", "rest"),
    (
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a 1\n" * 100_000),
        (b"HTTP/1.1 2\xff0 OK\r\nContent-Length: -1\r\n\r\n", b""),
    ),
)
def test_an_answer_that_never_ends_is_none(head: bytes, rest: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server, head, rest), daemon=True).start()
        begun = time.monotonic()
        assert ask(server.getsockname()[1], "/metrics") is None
        assert time.monotonic() - begun < 30
