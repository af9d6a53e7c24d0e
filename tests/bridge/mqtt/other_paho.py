"""A paho-mqtt as a later version may be: a copy of the installed one with other private names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import paho.mqtt

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

RENAMED: Final = {"_sock_recv": "_receive", "_packet_queue": "_enqueue"}


def make(folder: Path, changes: Mapping[str, str]) -> Path:
    """Make the copy.

    Args:
        folder: where.
        changes: what is replaced in the source of its client, and by what.

    Returns:
        What must stand first in PYTHONPATH.
    """
    source = Path(paho.mqtt.__file__).parents[1]
    shutil.copytree(source, folder / "paho")
    client = folder / "paho/mqtt/client.py"
    text = client.read_text("utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    client.write_text(text, "utf-8")
    return folder


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the programs that a test starts find a paho without the private names."""
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(make(folder, RENAMED)), before]))
    monkeypatch.setenv("PYTHONPATH", path)
