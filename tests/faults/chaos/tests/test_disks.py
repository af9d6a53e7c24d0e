"""A disk that is full, where root may make one."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from tests.faults.chaos.disks import Disk, may_mount

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_takes_nothing_and_a_free_one_does_again(tmp_path: Path) -> None:
    if not may_mount(tmp_path / "trial"):
        pytest.skip("only root may mount")
    folder = tmp_path / "disk"
    with Disk(folder, 1) as disk:
        (folder / "kept").write_bytes(b"x" * 9_000)
        disk.fill()
        with pytest.raises(OSError, match="No space") as full:
            (folder / "more").write_bytes(b"x")
        assert full.value.errno == errno.ENOSPC
        disk.free()
        (folder / "more").write_bytes(b"x" * 9_000)
        assert (folder / "kept").read_bytes() == b"x" * 9_000
    assert list(folder.iterdir()) == []
