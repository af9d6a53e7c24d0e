"""A ledger that gets full under a real spark-submit, and is rebuilt with more room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.support.jobs import analytics, execute, lines, running, send, submitted, until
from tests.aggregator.support.records import assert_same, oracle, reading

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

WITHIN = [reading(f"s{number}", "CA", 50.0 + number, seq=1) for number in range(3)]
BEYOND = [reading(f"t{number}", "NV", 30.0 + number, seq=1) for number in range(40)]
AGAIN = [WITHIN[0], BEYOND[0], reading("s1", "CA", 70.0, seq=2)]


def test_beyond_its_room_the_job_counts_on_says_approximate_and_can_be_made_exact_again(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    snapshots, output = tmp_path / "s.jsonl", tmp_path / "out"
    job = submitted(stack, topic, snapshots)
    command = [*job, "--scope", "both", "--ledger-sensors", "3"]

    def last() -> dict[str, Any]:
        found: dict[str, Any] = lines(snapshots)[-1]
        return found

    def came(messages: int) -> bool:
        found = lines(snapshots)
        return bool(found) and found[-1]["scopes"]["since_start"]["total_messages"] == messages

    send(stack, topic, WITHIN)
    with running(command, output) as process:
        until(lambda: came(3), process)
        assert "approximate" not in last()
        send(stack, topic, BEYOND)
        until(lambda: came(43), process)
        process.kill()
        process.wait()
        warnings = output.with_suffix(".err").read_text("utf-8").count("the ledger is full")
    send(stack, topic, AGAIN)
    with running(command, output) as process:
        until(lambda: came(45), process)
        process.terminate()
        assert process.wait(timeout=20) == 0
        again = output.with_suffix(".err").read_text("utf-8").count("the ledger is full")
    # The double of one beyond is not known as such, that of one within is.
    found, exact = (
        analytics(last()["scopes"]["since_start"]),
        oracle([*WITHIN, *BEYOND, *AGAIN[1:]]),
    )
    assert dict(found.sensors_by_state)["CA"] == 3
    sensors = found.total_sensors
    assert abs(sensors - 43) <= 40 * last()["approximate"]["relative_error"] + 1
    assert_same(replace(found, sensors_by_state=exact.sensors_by_state, total_sensors=43), exact)
    assert last()["audit_since_start"]["duplicated"] == 1
    assert last()["approximate"]["ledger_sensors"] == 3
    assert last()["approximate"]["beyond"] == {
        "messages": 41,
        "gaps": 0,
        "sensors": sensors - 3,
        "sensors_by_state": [["NV", sensors - 3]],
    }
    assert (warnings, again) == (1, 0)
    for line in lines(snapshots):
        jsonschema.validate(line, SCHEMA)

    place = [*("--kafka", stack.kafka, "--topic", topic), "--checkpoint", str(tmp_path / "ck")]
    ledger = [*job[:3], "ledger"]
    shown = execute(*ledger, "status", "--checkpoint", tmp_path / "ck")
    assert f"beyond its capacity, sensors, about: {sensors - 3}\n" in shown.stdout
    rebuilt = execute(*ledger, "rebuild", *place, "--ledger-sensors", "100")
    assert rebuilt.returncode == 0, rebuilt.stderr
    send(stack, topic, [reading("s0", "CA", 60.0, seq=2)])
    with running([*job, "--scope", "both", "--ledger-sensors", "100"], output) as process:
        until(lambda: came(45) and "approximate" not in last(), process)
    assert last()["scopes"]["since_start"]["total_sensors"] == 43
    assert last()["audit_since_start"]["duplicated"] == 2
