"""All outputs of a job under a real spark-submit, and its dead letters over a kill -9."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from deploy.local.ports import free_port
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.sinks.test_webhook import TAKEN, asked, receiver
from tests.aggregator.support.jobs import ROOT, lines, running, send, submitted, until
from tests.aggregator.support.records import reading
from tests.bridge.monitoring.test_metrics import SAMPLE
from tests.support import topic_records, unique

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.lowest]

GARBAGE = 60_000
"""With keys and overhead some 4 MB: a flood of which three quarters are read again."""


def fetched(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def samples(text: str) -> dict[str, float]:
    found = {}
    for line in text.splitlines():
        match = SAMPLE.fullmatch(line)
        if match is not None:
            found[match[1].removeprefix("isotherm_aggregator_") + (match[3] or "")] = float(
                match[4]
            )
    return found


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a receiver, and what came there."""
    posted: list[dict[str, Any]] = []

    def take(client: socket.socket) -> None:
        posted.append(json.loads(asked(client)[1]))
        client.sendall(TAKEN)

    with receiver(take) as url:
        yield url, posted


def test_a_flood_gets_one_letter_each_over_a_kill_and_every_output_has_the_numbers(
    stack: Any, topic: str, tmp_path: Path, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, posted = webhook
    analytics, address = unique("analytics"), f"127.0.0.1:{free_port()}"
    stack.create_topics(analytics)
    snapshots, latest, history = (tmp_path / name for name in ("s.jsonl", "latest.json", "history"))
    command = [
        *submitted(stack, topic, snapshots),
        *("--scope", "both", "--console", "table", "--latest", str(latest)),
        *("--history", str(history), "--analytics-topic", analytics, "--metrics", address),
        *("--webhook", url),
    ]
    values: list[bytes | None] = [b"garbage %d" % number for number in range(GARBAGE)]
    values[::1000] = [reading(f"s{number}") for number in range(len(values[::1000]))]
    send(stack, topic, values)
    with running(command, tmp_path / "out") as process:
        until(lambda: topic_records(stack.kafka, f"{topic}.dead-letter"), process)
        process.kill()
        process.wait()
    assert not lines(snapshots)
    with running(command, tmp_path / "out") as process:
        until(lambda: lines(snapshots) and lines(snapshots)[-1]["idle"], process)
        # Spark reports what it has read in its own time.
        until(lambda: samples(fetched(address, "/metrics"))["records_read_total"], process)
        found = samples(fetched(address, "/metrics"))
        assert fetched(address, "/readyz") == fetched(address, "/healthz") == "ok\n"
        shown = subprocess.run(
            [*command[:3], "history", str(history), "SELECT scope, messages FROM total", "--csv"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        process.terminate()
        assert process.wait(timeout=20) == 0
    rejected = GARBAGE - GARBAGE // 1000
    letters = topic_records(stack.kafka, f"{topic}.dead-letter")
    places = Counter((record.headers["partition"], record.headers["offset"]) for record in letters)
    assert (len(letters), len(places)) == (rejected, rejected)
    assert {record.value for record in letters} == {
        value for value in values if value and value.startswith(b"garbage")
    }
    (counted,) = [line for line in lines(snapshots) if not line["idle"]]
    assert counted["rejected"] == counted["rejected_since_start"] == {"not_json": rejected}
    assert counted["lag"] == 0
    assert counted in posted
    assert found["records_rejected_totalnot_json"] == rejected
    assert (found["lag_offsets"], found["ready"], found["records_read_total"]) == (0, 1, GARBAGE)
    assert 0 < found["dead_letters_total"] <= rejected
    assert found["messagessince_start"] == GARBAGE // 1000
    assert found["ledger_bytes"] > 0
    assert {found[f"sink_up{name}"] for name in ("console", "kafka", "latest", "webhook")} == {1}
    assert sorted(shown.stdout.split()[1:]) == ["since_start,60", "window,60"]
    assert "── since start: 60 messages, 60 sensors ──" in (tmp_path / "out").read_text("utf-8")
    assert json.loads(latest.read_text("utf-8"))["idle"]
    records = topic_records(stack.kafka, analytics)
    assert {record.key for record in records} == {b"window", b"since_start"}
    for record in records:
        snapshot = json.loads(record.value)
        jsonschema.validate(snapshot, SCHEMA)
        assert list(snapshot["scopes"]) == [(record.key or b"").decode()]
