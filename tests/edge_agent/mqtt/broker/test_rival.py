"""Another agent under our device.id."""

from __future__ import annotations

import io
import random

from edge_agent.mqtt.broker.rival import FIRST_PAUSE, LONGEST_PAUSE, QUIET, TAKEN_OVER, Rival
from isotherm.backoff import Backoff
from isotherm.log import start_logging


class _Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.told = io.StringIO()
        self.rival = Rival(
            "pi",
            log=start_logging("agent", stream=self.told),
            clock=lambda: self.now,
            backoff=Backoff(FIRST_PAUSE, LONGEST_PAUSE, random.Random(1)),
        )

    def lose(self, code: int | None = None) -> float:
        self.rival.connected()
        self.now += 1.0
        return self.rival.lost(code)


def test_lost_connections_alone_show_nobody() -> None:
    rig = _Rig()
    assert [rig.lose() for _ in range(20)] == [0.0] * 20
    assert not rig.rival.here


def test_a_rival_is_named_once_and_left_alone_ever_longer() -> None:
    rig = _Rig()
    rig.rival.met("c" * 16)
    pauses = [rig.lose() for _ in range(20)]
    assert min(pauses) >= FIRST_PAUSE
    assert 20.0 < max(pauses) <= LONGEST_PAUSE
    rig.rival.met("c" * 16)
    assert rig.told.getvalue().count("another agent uses device.id pi") == 1
    assert "give each a device.id of its own" in rig.rival.sentence


def test_two_takeovers_show_one_where_the_status_cannot_be_read() -> None:
    rig = _Rig()
    assert rig.lose(TAKEN_OVER) == 0.0
    assert rig.lose(TAKEN_OVER) >= FIRST_PAUSE
    assert rig.rival.losses == 2


def test_tries_that_find_no_broker_make_no_pause_longer() -> None:
    rig = _Rig()
    rig.rival.met("c" * 16)
    rig.lose()
    assert rig.rival.lost(None) == 0.0


def test_after_a_long_connection_it_counts_as_gone() -> None:
    rig = _Rig()
    rig.rival.met("c" * 16)
    rig.rival.connected()
    rig.rival.turn(QUIET - 1)
    assert rig.rival.here
    rig.rival.turn(QUIET + 1)
    assert rig.rival.sentence == ""
    assert "no other agent uses our device.id any more" in rig.told.getvalue()
