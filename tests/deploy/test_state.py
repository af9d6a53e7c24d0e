from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deploy.local.state import (
    ProcessRecord,
    ServiceRecord,
    StackRecord,
    read_state,
    write_state,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    me = ProcessRecord.of(os.getpid())
    record = StackRecord(me, {"kafka": ServiceRecord(me, 9092, "/logs/kafka.log")})
    write_state(tmp_path / "stack.json", record)
    assert read_state(tmp_path / "stack.json") == record


@pytest.mark.parametrize("text", ("", "{", "[]", "{}", '{"owner": 1, "services": {}}'))
def test_damaged_state_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    assert read_state(tmp_path / "stack.json") is None


def test_missing_state_is_none(tmp_path: Path) -> None:
    assert read_state(tmp_path / "stack.json") is None


def test_a_later_process_with_the_same_pid_does_not_count() -> None:
    me = ProcessRecord.of(os.getpid())
    assert me.runs
    assert not ProcessRecord(me.pid, me.started - 1).runs
