import io
import json
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from edge_agent.mqtt.broker.rival import Rival
from edge_agent.mqtt.events import Up
from edge_agent.mqtt.message import Fate
from edge_agent.reporting.retained import RetainedMessages
from edge_agent.reporting.status import GAP, StatusReporter
from isotherm.log import start_logging
from isotherm.mqtt.status import Mark, ProbeState, Status, encode_status
from tests.edge_agent.support.no_readings import NoReadings


class _Device:
    def __init__(self) -> None:
        self.sign = 0
        self.heard: list[Mark | None] = []
        self.probes: tuple[ProbeState, ...] = ()

    @property
    def life(self) -> str:
        return "a" * 16

    @property
    def lives(self) -> tuple[str, ...]:
        return "0" * 16, self.life

    def status(self, *, online: bool) -> Status:
        return Status(
            online=online,
            time=0,
            version="1",
            boot="b" * 32,
            life="a" * 16,
            epoch="e" * 16,
            next_id=5,
            clock="synced",
            outbox={},
            probes=self.probes,
        )

    def signs(self) -> Hashable:
        return self.sign

    def seen(self, mark: Mark | None) -> None:
        self.heard.append(mark)


class _Rig:
    def __init__(self) -> None:
        self.device, self.told = _Device(), io.StringIO()
        self.up: Up | None = None
        self.most = 1 << 20
        log = start_logging("agent", stream=self.told)
        self.rival = Rival("pi", log=log, clock=lambda: 0.0)
        self.notices = RetainedMessages(NoReadings(), log)
        self.reporter = StatusReporter(
            self.device,
            self.notices,
            topic="t",
            greeting=lambda: self.up,
            interval=60.0,
            takes=lambda size: size <= self.most,
            rival=self.rival,
            log=log,
        )

    def turn(self, now: float) -> dict[str, Any] | None:
        """What is posted in a turn."""
        self.reporter.turn(now)
        return self.posted()

    def posted(self) -> dict[str, Any] | None:
        message = self.notices.next()
        return None if message is None else json.loads(message.payload)


def _up(**more: Any) -> Up:
    return Up(receive_maximum=10, maximum_packet=None, **more)


def test_each_connection_begins_with_what_the_broker_knew_and_a_birth() -> None:
    rig = _Rig()
    assert rig.turn(0.0) is None
    rig.up = _up(retained=encode_status(rig.device.status(online=True)))
    birth = rig.turn(1.0)
    assert birth is not None
    assert birth["online"] is True
    rig.up = None
    assert rig.turn(2.0) is None
    rig.up = _up()
    assert rig.turn(3.0) is not None
    rig.up = _up(retained=b"something else")
    assert rig.turn(4.0) is not None
    assert rig.device.heard == [Mark("e" * 16, 5, "a" * 16), None, None]


def test_a_change_is_told_soon_a_quiet_board_now_and_then() -> None:
    rig = _Rig()
    rig.up = _up()
    assert rig.turn(0.0) is not None
    assert rig.turn(59.9) is None
    assert rig.turn(60.0) is not None
    rig.device.sign = 1
    assert rig.turn(60.1) is None
    assert rig.turn(60.0 + GAP) is not None
    assert rig.turn(60.0 + 2 * GAP) is None
    assert rig.reporter.turn(60.0 + 2 * GAP) == 60.0 - GAP


def test_will_and_goodbye_say_offline() -> None:
    rig = _Rig()
    assert json.loads(rig.reporter.will())["online"] is False
    rig.reporter.farewell()
    goodbye = rig.posted()
    assert goodbye is not None
    assert goodbye["online"] is False


def _probes(count: int) -> tuple[ProbeState, ...]:
    return tuple(
        ProbeState(guid=f"g{n}", driver="w1", fault=None, since=0, readings=0, faults={})
        for n in range(count)
    )


def test_a_will_is_short_however_many_probes_there_are() -> None:
    rig = _Rig()
    rig.device.probes = _probes(1000)
    will = rig.reporter.will()
    assert len(will) < 400
    assert json.loads(will)["next_id"] == 5


def test_a_status_that_the_broker_takes_not_whole_goes_without_its_probes() -> None:
    rig = _Rig()
    rig.device.probes = _probes(20)
    rig.up = _up()
    birth = rig.turn(0.0)
    assert birth is not None
    assert len(birth["probes"]) == 20
    # The broker refused it, or another one had less room.
    rig.most = 1000
    assert rig.turn(GAP - 1) is None
    short = rig.turn(GAP)
    assert short is not None
    assert (short["probes"], short["next_id"]) == ([], 5)
    assert rig.turn(2 * GAP) is None
    assert rig.told.getvalue().count("goes without its probes") == 1


def test_a_broker_that_hides_our_status_is_told() -> None:
    rig = _Rig()
    rig.up = _up(unreadable="Not authorized")
    assert rig.turn(0.0) is not None
    assert "cannot be read back" in rig.told.getvalue()
    assert "Not authorized" in rig.told.getvalue()


def test_a_life_that_is_not_ours_where_our_own_status_was_is_a_rival() -> None:
    rig = _Rig()
    foreign = encode_status(replace(rig.device.status(online=True), life="c" * 16))
    # An earlier run of this agent, or the one whose place it took.
    rig.up = _up(retained=foreign)
    rig.reporter.turn(0.0)
    assert "another agent" not in rig.told.getvalue()
    birth = rig.notices.next()
    assert birth is not None
    rig.notices.settle(birth, Fate.DELIVERED, "")
    for now in (1.0, 2.0):
        rig.up = _up(retained=foreign)
        rig.reporter.turn(now)
    assert rig.rival.here
    assert rig.told.getvalue().count("another agent uses device.id pi") == 1
    rig.up = _up(retained=encode_status(rig.device.status(online=True)))
    rig.reporter.turn(3.0)
    assert "no other agent uses our device.id any more" in rig.told.getvalue()


def test_a_broker_that_went_back_to_an_earlier_run_of_ours_shows_no_rival() -> None:
    rig = _Rig()
    rig.up = _up()
    rig.reporter.turn(0.0)
    birth = rig.notices.next()
    assert birth is not None
    rig.notices.settle(birth, Fate.DELIVERED, "")
    earlier = replace(rig.device.status(online=True), life="0" * 16)
    # As mosquitto does that was killed before it saved.
    rig.up = _up(retained=encode_status(earlier))
    rig.reporter.turn(1.0)
    assert not rig.rival.here
    mark = rig.device.heard[-1]
    assert mark is not None
    assert mark.life == "0" * 16
