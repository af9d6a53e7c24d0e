"""A last will that asks for no more than the broker takes."""

from __future__ import annotations

import io

from edge_agent.mqtt.broker.will import MUTE, RENEW, LastWill
from edge_agent.mqtt.events import Down, Will
from isotherm.log import start_logging

WHOLE = Will("t", b"gone")


class _Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.told = io.StringIO()
        self.will = LastWill(
            "t",
            lambda: b"gone",
            log=start_logging("agent", stream=self.told),
            clock=lambda: self.now,
        )

    def refused(self, code: int) -> bool:
        return self.will.failed(Down("no", code=code))


def test_a_broker_that_takes_all_hears_of_nothing_less() -> None:
    rig = _Rig()
    assert rig.will.offer() == WHOLE
    rig.will.taken()
    assert not rig.refused(0x87)
    assert not rig.will.failed(Down("Connection refused"))
    assert rig.will.offer() == WHOLE
    assert rig.told.getvalue() == ""


def test_each_refusal_asks_for_less_and_the_lack_is_told_once() -> None:
    rig = _Rig()
    assert rig.refused(0x9B)
    assert rig.will.offer() == Will("t", b"gone", qos=0)
    assert rig.refused(0x9A)
    assert rig.will.offer() == Will("t", b"gone", qos=0, retain=False)
    assert rig.refused(0x95)
    assert rig.will.offer() is None
    # What is refused now is not the will.
    assert not rig.refused(0x95)
    assert not rig.refused(0x9A)
    for _ in range(3):
        rig.will.taken()
    assert rig.told.getvalue().count("takes no last will") == 1
    rig.now += RENEW + 1
    assert rig.will.offer() == WHOLE
    rig.will.taken()
    assert "takes the whole last will again" in rig.told.getvalue()


def test_without_any_answer_both_ways_are_tried_in_turn() -> None:
    rig = _Rig()
    offers = []
    for _ in range(4 * MUTE):
        offers.append(rig.will.offer())
        # That is said as ever, and waited for.
        assert not rig.will.failed(Down("no broker answers there", mute=True))
    assert set(offers) == {WHOLE, None}
    while rig.will.offer() is not None:
        rig.will.failed(Down("no broker answers there", mute=True))
    rig.will.taken()
    assert "got no answer" in rig.told.getvalue()
