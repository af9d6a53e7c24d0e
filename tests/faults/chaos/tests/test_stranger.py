"""What was to be sent and was not is told: a run without anything hostile proves less."""

from __future__ import annotations

from tests.faults.chaos.hostile import HalfOpen
from tests.faults.chaos.stranger import Stranger


def test_what_fails_for_no_broker_s_sake_is_noted() -> None:
    said: list[str] = []
    stranger = Stranger(1, "127.0.0.1:1", (), said.append)
    # Nobody waits for less than no time.
    stranger.send("clients", [HalfOpen(each=1, seconds=-1.0)])
    stranger.finish()
    assert len(stranger.noted) == 1
    assert stranger.noted[0].startswith("hostile clients was not sent: CalledProcessError")
    assert (stranger.sent, said) == ([], [])
