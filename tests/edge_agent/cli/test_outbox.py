from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.cli.commands import agent
from edge_agent.errors import OutboxUnreadableError
from tests.edge_agent.support.outbox_bench import Bench, FakeClock, seqs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # Where ISOTHERM_AGENT_OUTBOX_PATH points in these tests.
    return tmp_path / "outbox.db"


def _run(*words: str) -> int:
    return int(agent.main(["outbox", *words], standalone_mode=False) or 0)


def test_status_says_what_waits_while_an_agent_runs(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(path)
    bench.put("a", "b", ticks=3)
    bench.commit()
    assert _run("status") == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert (told["readings"], told["gaps"], told["in use"]) == ("6", "0", "yes")
    assert told["epoch"] == bench.outbox.mark.epoch
    bench.close()
    assert _run("status") == 0
    assert "in use: no" in capsys.readouterr().out
    assert {file.name for file in path.parent.glob("outbox.db*")} == {"outbox.db", "outbox.db.lock"}


def test_export_writes_what_would_be_sent_and_leaves_it(
    path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    bench = Bench(path, FakeClock(synced=False))
    bench.put("a", ticks=3)
    bench.commit()
    assert _run("export") == 0
    lines = capsysbinary.readouterr().out.splitlines()
    records = [json.loads(line) for line in lines]
    assert seqs(records) == [1, 2, 3]
    assert {record["origin"]["clock"] for record in records} == {"unsynced"}
    bench.clock.synced = True
    bench.put("a")
    bench.commit()
    bench.close()
    assert _run("export") == 0
    records = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [record["origin"]["clock"] for record in records] == ["corrected"] * 3 + ["synced"]
    again = Bench(path)
    assert again.outbox.rows == 4
    again.close()


def test_verify_finds_what_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(path)
    bench.put("a", ticks=3)
    bench.commit()
    assert _run("verify") == 0
    assert "is well: 3 rows" in capsys.readouterr().out
    bench.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entry SET wall = wall + 1 WHERE id = 2")
    connection.close()
    assert _run("verify") == 1
    assert "fault: 1 rows have a wrong checksum" in capsys.readouterr().out
    assert _run("export") == 1


def test_an_outbox_that_is_not_there_or_none_is_a_sentence(path: Path) -> None:
    with pytest.raises(OutboxUnreadableError, match="there is no such file"):
        _run("status")
    path.write_bytes(b"no database, but some text" * 100)
    with pytest.raises(OutboxUnreadableError, match="not a database"):
        _run("verify")
