"""Checks the sessions that bridges noted in Kafka."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bridge.errors import SessionsLeftError
from bridge.kafka.errors import SinkError
from bridge.kafka.kafka_python.read_notes import read_notes
from bridge.service.handover import others, to_end
from bridge.service.service import lane_settings
from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.kafka.find_notes import Found
    from bridge.settings import BridgeSettings
    from isotherm.doctor.finding import Finding

_CHECK = "mqtt sessions"


def ask_sessions(settings: BridgeSettings) -> Found | str:
    """What bridges noted in Kafka of the sessions of both kinds; why it cannot be read."""
    names = [*(lane.client_id for lane in lane_settings(settings)), *others(settings)]
    try:
        return read_notes(settings, names, threading.Event())
    except SinkError as error:
        return str(error)


def check_sessions(
    asked: Found | str, settings: BridgeSettings, now: float | None = None
) -> Iterator[Finding]:
    """Judge it.

    Args:
        asked: see `ask_sessions`.
        settings: of the whole bridge.
        now: seconds since 1970; None for the clock's.
    """
    now = time.time() if now is None else now
    if isinstance(asked, str):
        yield warn(_CHECK, f"what bridges noted of their sessions cannot be read: {asked}")
        return
    found = asked.known
    if asked.unread:
        yield warn(
            _CHECK,
            f"what was noted of {', '.join(sorted(asked.unread))} may be further back in "
            f"{settings.position_topic} than is read at a start; if one of these was in use, end "
            "its session at the MQTT broker, or start a bridge of that kind once",
        )
    lanes = lane_settings(settings)
    own = {lane.client_id: found[lane.client_id] for lane in lanes if lane.client_id in found}
    for name, each in own.items():
        if each.note is not None and 0 < now - each.note.lost < settings.session_expiry:
            hours = (now - each.note.lost) / 3600
            yield warn(
                _CHECK,
                f"{hours:.1f} hours ago the broker had no session {name}, though it should have: "
                "what it held is gone; did it lose its state, or did another client connect with "
                "this client id?",
            )
    filters = [name for lane in lanes for name in lane.subscribe]
    rest = {name: each for name, each in found.items() if name not in own}
    ours = any(each.note is None for each in own.values())
    try:
        left = to_end(settings, filters, rest, now, ours=ours)
    except SessionsLeftError as error:
        yield fail(_CHECK, str(error))
        return
    if left:
        yield warn(
            _CHECK,
            f"{', '.join(sorted(left))} may still queue at the MQTT broker; a bridge that starts "
            "with these settings forwards what they hold, and ends them",
        )
    else:
        yield ok(_CHECK, "none is known that would double what the bridge forwards")
