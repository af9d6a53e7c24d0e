from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.aggregator.fleet import Expected, Fleet, analytics, differences
from benchmarks.aggregator.parts import latencies
from benchmarks.aggregator.spark import Trigger, python_path, triggers
from benchmarks.aggregator.writer import Mark
from isotherm.contract.verdict import decode

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def counted(records: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    values = [json.loads(value) for _, value in records]
    return analytics(
        (value["state"], value["guid"], value["payload"]["data"]["temperature"]) for value in values
    )


def test_a_fleets_records_are_readings_whose_seqs_have_no_holes() -> None:
    fleet = Fleet(7)
    records = [*fleet.readings(20), *fleet.readings(9, among=3), *fleet.readings(7)]
    seqs: dict[str, list[int]] = {}
    for key, value in records:
        reading = decode(value)
        assert key.decode() == reading.guid
        assert reading.origin is not None
        seqs.setdefault(reading.guid, []).append(reading.origin.seq)
    assert all(found == list(range(1, len(found) + 1)) for found in seqs.values())
    assert fleet.written == len(records) == sum(Counter(map(len, seqs.values())).elements())


@pytest.mark.parametrize("among", (None, 40))
def test_the_oracle_and_plain_counting_agree(among: int | None) -> None:
    fleet = Fleet(120)
    list(fleet.readings(33))
    records = list(fleet.readings(1_000, among))
    assert differences(fleet.expect(33, 1_000, among), counted(records)) == []


def test_every_analytic_that_is_wrong_is_named() -> None:
    fleet = Fleet(3)
    right = counted(list(fleet.readings(9)))
    expected = fleet.expect(0, 9)
    for name, wrong in (
        ("total_messages", 8),
        ("total_sensors", 4),
        ("sensors_by_state", right["sensors_by_state"][:-1]),
        (
            "average_temperature_by_state",
            [(state, average + 1e-8) for state, average in right["average_temperature_by_state"]],
        ),
    ):
        assert differences(expected, {**right, name: wrong}) == [name]
    assert isinstance(expected, Expected)


def test_a_readings_age_ends_with_the_trigger_that_counted_it() -> None:
    marks = [Mark(10.0, 5), Mark(11.0, 10), Mark(12.0, 15)]
    found = [Trigger(12.0, 1.0, {}, 110), Trigger(15.0, 0.5, {}, 115)]
    assert latencies(marks, found, before=100) == [3.0, 2.0, 3.5]
    assert latencies(marks, found[:1], before=100) == [3.0, 2.0]


def test_sparks_progress_is_read_from_its_log() -> None:
    progress = {
        "timestamp": "1970-01-01T00:00:02.500Z",
        "numInputRows": 3,
        "durationMs": {"triggerExecution": 1500, "addBatch": 900},
        "sources": [{"endOffset": {"t": {"0": 2, "1": 3}}}],
    }
    mark = "Streaming query made progress: "
    idle = json.dumps({**progress, "numInputRows": 0}, indent=1)
    log = f"x\n{mark}{json.dumps(progress, indent=1)}\n{mark}{idle}\nnoise\n{mark}{{\n"
    assert triggers(log) == [Trigger(2.5, 1.5, progress["durationMs"], 5)]  # type: ignore[arg-type] # a dict of many


def test_another_python_finds_what_contenders_without_spark_import(tmp_path: Path) -> None:
    # Without site-packages, where this Python may have the checkout.
    code = "from benchmarks.aggregator.fleet import analytics"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, env=python_path(), check=True)
