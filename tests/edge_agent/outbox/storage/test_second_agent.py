"""A second agent that gets at an outbox which the first one still has open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.outbox.inspect import Inspection
from tests.edge_agent.support.outbox_bench import Bench, names, seqs, unable_to_apply

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


@pytest.mark.parametrize("in_memory", (False, True))
def test_a_second_agent_that_came_in_between_costs_no_reading_and_no_name(
    path: Path, *, in_memory: bool
) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3)
    bench.commit()
    records: list[dict[str, Any]] = []
    if in_memory:
        with unable_to_apply():
            bench.put("a")
            bench.commit()
        bench.put("a", ticks=2)
        # On its way when the other one comes, and taken when it has ended.
        records += bench.take()
    path.with_name("outbox.db.lock").unlink()
    other = Bench(path)
    other.put("a", ticks=5)
    other.commit()
    bench.put("a", ticks=2)
    bench.commit()
    assert bench.outbox.lost_at_end
    bench.put("a", ticks=2)
    records += bench.take()
    other.close()
    bench.pass_by(60)
    bench.commit()
    assert not bench.outbox.in_memory
    bench.settle()
    bench.put("a", ticks=2)
    records += bench.drain()
    found = set(names(records))
    # The other one sent none: each comes once.
    assert len(found) == len(records) == 3 + 5 + 2 + 2 + 2 + 3 * in_memory
    assert bench.outbox.rows == 0
    disk = [seq for _, epoch, seq in found if epoch == bench.outbox.mark.epoch]
    assert sorted(disk) == list(range(1, len(disk) + 1))
    bench.close()
    with Inspection(path) as lookup:
        assert lookup.saved.rows == 0


def test_an_agent_without_its_lock_writes_nothing_at_its_end(path: Path) -> None:
    bench = Bench(path)
    bench.put("a")
    bench.commit()
    path.with_name("outbox.db.lock").unlink()
    other = Bench(path)
    other.put("a", ticks=2)
    other.commit()
    bench.put("b")
    bench.close()
    # What the other one committed stands in the file, and nothing has taken its ids.
    other.kill()
    again = Bench(path)
    assert seqs(again.drain()) == [1, 2, 3]
    again.close()
