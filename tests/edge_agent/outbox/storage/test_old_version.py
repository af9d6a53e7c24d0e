"""An outbox that version 0.1.0 wrote, as of commit 1d6eb88: this version opens and empties it.

`old_version/outbox.db` has two boots (the first never knew the time), a backlog, gaps of two kinds,
and an epoch that the broker has confirmed; `expected.jsonl` is what 1d6eb88 itself made of it, and
`mark.json` what the retained status said.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox.inspect import Inspection
from isotherm.mqtt.status import Mark
from tests.edge_agent.support.outbox_bench import Bench, is_gap, seqs

OLD = Path(__file__).parent / "old_version"
MARK = Mark(**json.loads((OLD / "mark.json").read_text(encoding="utf-8")))
EXPECTED: list[dict[str, Any]] = [
    json.loads(line) for line in (OLD / "expected.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD / "outbox.db", tmp_path / "outbox.db"))


def _in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda r: (r["guid"], r["origin"]["epoch"], r["origin"]["seq"]))


def test_it_is_emptied_as_the_old_version_would_have(path: Path) -> None:
    bench = Bench(path, boot="c3" * 16)
    bench.outbox.seen(MARK)
    assert bench.outbox.rows == len(EXPECTED)
    records = bench.drain()
    assert _in_order(records) == EXPECTED
    assert {r["payload"]["data"]["reason"] for r in records if is_gap(r)} == {"drop_oldest", "thin"}
    assert not bench.lines
    bench.close()


def test_it_goes_on_in_the_same_epoch_with_the_next_number(path: Path) -> None:
    bench = Bench(path, boot="c3" * 16)
    bench.outbox.seen(MARK)
    bench.put("attic")
    records = bench.drain()
    last = max(seqs(EXPECTED, "attic"))
    new = [r for r in records if r["guid"] == "attic" and r["origin"]["seq"] > last]
    assert [(r["origin"]["epoch"], r["origin"]["seq"]) for r in new] == [(MARK.epoch, last + 1)]
    bench.close()


def test_it_can_be_looked_into(path: Path) -> None:
    with Inspection(path) as inspection:
        assert list(inspection.faults()) == []
        assert len(list(inspection.entries())) == len(EXPECTED)
