"""What all tests of the agent share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local.services.mosquitto import Mosquitto
from tests.edge_agent.support.brokers import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_outbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Agents that a test starts find an outbox of their own, and take the clock as it is.

    A machine without a time server would else keep every reading waiting for its clock.
    """
    monkeypatch.setenv("ISOTHERM_AGENT_OUTBOX_PATH", str(tmp_path / "outbox.db"))
    monkeypatch.setenv("ISOTHERM_AGENT_CLOCK_TRUST", "true")


@pytest.fixture
def own_config(_own_outbox: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents find in their configuration alone what `_own_outbox` says, as a board's do."""
    monkeypatch.delenv("ISOTHERM_AGENT_OUTBOX_PATH")
    monkeypatch.delenv("ISOTHERM_AGENT_CLOCK_TRUST")


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker for the tests of one module."""
    with running(Mosquitto, tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture
def url(mosquitto: Mosquitto) -> str:
    """Of that broker."""
    return f"mqtt://127.0.0.1:{mosquitto.port}"
