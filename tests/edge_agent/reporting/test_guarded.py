from __future__ import annotations

import io
import math

from edge_agent.reporting.guarded import REST, Guarded, Idle
from isotherm.log import start_logging


class _Part:
    def __init__(self) -> None:
        self.fails = True
        self.turns = 0

    def turn(self, _now: float) -> float:
        self.turns += 1
        if self.fails:
            raise ZeroDivisionError("secret")
        return 7.0


def test_a_part_that_fails_is_said_once_left_alone_for_a_while_and_tried_again() -> None:
    told, failures = io.StringIO(), []
    part = _Part()
    guarded = Guarded("home", part, start_logging("agent", stream=told), lambda: failures.append(1))
    assert guarded.turn(100.0) == REST
    assert guarded.turn(101.0) == REST - 1.0
    assert part.turns == 1
    assert guarded.turn(100.0 + REST) == REST
    assert len(failures) == 2
    assert told.getvalue().count("a part of the agent fails part=home why=") == 1
    assert "ZeroDivisionError at test_guarded.py:" in told.getvalue()
    assert "secret" not in told.getvalue()
    part.fails = False
    assert guarded.turn(100.0 + 2 * REST) == 7.0
    assert told.getvalue().count("over: a part of the agent fails") == 1


def test_a_part_that_there_is_none_of_wants_no_turn() -> None:
    assert Idle().turn(0.0) == math.inf
