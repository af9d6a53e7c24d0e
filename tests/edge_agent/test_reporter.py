import io
import json
from collections.abc import Hashable
from typing import Any

from contract.log import start_logging
from contract.status import Mark, ProbeState, Status, encode_status
from edge_agent.link import Up
from edge_agent.notices import Notices
from edge_agent.reporter import GAP, MAX_WILL, Reporter
from tests.edge_agent.no_readings import NoReadings


class _Device:
    def __init__(self) -> None:
        self.sign = 0
        self.heard: list[Mark | None] = []
        self.probes: tuple[ProbeState, ...] = ()

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
        log = start_logging("agent", stream=self.told)
        self.notices = Notices(NoReadings(), log)
        self.reporter = Reporter(
            self.device,
            self.notices,
            topic="t",
            greeting=lambda: self.up,
            interval=60.0,
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
    return Up(session=False, receive_maximum=10, maximum_packet=None, **more)


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


def test_a_will_that_would_be_too_long_leaves_the_probes_out() -> None:
    rig = _Rig()
    rig.device.probes = tuple(
        ProbeState(guid=f"g{n}", driver="w1", fault=None, since=0, readings=0, faults={})
        for n in range(1000)
    )
    will = rig.reporter.will()
    assert len(will) <= MAX_WILL
    assert json.loads(will)["probes"] == []
    assert json.loads(will)["next_id"] == 5


def test_a_broker_that_hides_our_status_is_told() -> None:
    rig = _Rig()
    rig.up = _up(unreadable="Not authorized")
    assert rig.turn(0.0) is not None
    assert "cannot be read back" in rig.told.getvalue()
    assert "Not authorized" in rig.told.getvalue()
