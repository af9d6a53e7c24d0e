"""What all tests of the agent share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_outbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Agents that a test starts find an outbox of their own, and take the clock as it is.

    A machine without a time server would else keep every reading waiting for its clock.
    """
    monkeypatch.setenv("ISOTHERM_AGENT_OUTBOX_PATH", str(tmp_path / "outbox.db"))
    monkeypatch.setenv("ISOTHERM_AGENT_CLOCK_TRUST", "true")
