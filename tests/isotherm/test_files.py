from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from isotherm.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    for text in (b"first", b"second"):
        write_whole(path, text)
        assert path.read_bytes() == text
    assert [file.name for file in tmp_path.iterdir()] == ["latest.json"]


def test_a_link_that_waits_where_the_new_file_is_made_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    path = tmp_path / "latest.json"
    (tmp_path / ".latest.json.new").symlink_to(victim)
    write_whole(path, b"ours")
    assert (victim.read_bytes(), path.read_bytes()) == (b"theirs", b"ours")
    assert not path.is_symlink()


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    path.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 each system has its own kind
        write_whole(path, b"ours")
    assert [file.name for file in tmp_path.iterdir()] == ["latest.json"]


PROGRAM = """
import sys
from pathlib import Path
from isotherm.files import keep_from_others, write_whole
from aggregator.ledger.ledger import Ledger
from aggregator.sinks.files import HistorySink, JsonLinesSink, LatestSink
from tests.aggregator.support.golden import snapshot
from tests.aggregator.support.records import reading, tallied
keep_from_others()
folder = Path(sys.argv[1])
for sink in (JsonLinesSink(folder / "a" / "s.jsonl"), HistorySink(folder / "h"),
             LatestSink(folder / "latest.json")):
    sink.emit(snapshot())
    sink.close()
with Ledger(folder / "l.duckdb") as ledger:
    ledger.add("q", 0, tallied([reading(seq=1)]), 0)
"""


@pytest.mark.parametrize("umask", (0o000, 0o077))
def test_what_the_job_writes_is_not_for_other_users(tmp_path: Path, umask: int) -> None:
    # A process of its own: a umask is a process's.
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], check=True, timeout=60, umask=umask
    )
    made = list(tmp_path.rglob("*"))
    assert len(made) >= 6
    for found in made:
        mode = found.stat().st_mode
        assert not mode & 0o027, f"{found} {mode:o}"
        assert os.access(found, os.R_OK | os.W_OK)
