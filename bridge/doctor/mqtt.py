"""Checks the MQTT broker, and the library that talks to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge.errors import MqttLibraryError
from bridge.mqtt.ways import USUAL, choose
from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isotherm.doctor.finding import Finding

VERSION_TOPIC: Final = "$SYS/broker/version"
DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"

_WINDOW_HELD_SINCE: Final = (2, 0, 13)
_SHOWN: Final = 80
_LIBRARY: Final = "mqtt library"
_DROP_ALL: Final = ((2, 0, 2), (2, 0, 16))


@dataclass(frozen=True, kw_only=True)
class MqttFacts:
    """What a client of the doctor's own saw.

    Attributes:
        unreachable: why no connection came about; None where one did.
        kept: whether the broker still had the client's session at its second connection.
        expiry: how long the broker keeps a session, seconds.
        window: the Receive Maximum that the broker announced; None where it has none.
        refused: filters that it would not have subscribed, with its reason.
        lowered: filters that it grants at QoS 0 only.
        system: what its $SYS topics said.
    """

    unreachable: str | None = None
    kept: bool = False
    expiry: float = 0.0
    window: int | None = None
    refused: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    system: Mapping[str, str] = field(default_factory=dict)


def check_library() -> Finding:
    """Say which way paho-mqtt is read (see `bridge.mqtt.ways`)."""
    try:
        way = choose()
    except MqttLibraryError as error:
        return fail(_LIBRARY, str(error), dependency=True)
    return ok(_LIBRARY, way.note) if way.name == USUAL else warn(_LIBRARY, way.note)


def check_mqtt(
    facts: MqttFacts, *, url: str, version: str, session_expiry: float, receive_maximum: int
) -> Iterator[Finding]:
    """Judge them against what the settings ask for."""
    if facts.unreachable is not None:
        yield fail("mqtt", f"{url}: {facts.unreachable}", dependency=True)
        return
    yield ok("mqtt", f"{url} takes connections")
    yield _session(facts, session_expiry)
    if facts.refused:
        yield fail("mqtt filters", f"subscription refused: {'; '.join(facts.refused)}")
    if facts.lowered:
        yield fail(
            "mqtt filters",
            f"the broker grants only QoS 0 for {', '.join(facts.lowered)}: what comes while the "
            "bridge is away is lost; have it allow QoS 1 (with mosquitto, max_qos)",
        )
    yield _window(facts, version, receive_maximum)
    yield _version(facts.system.get(VERSION_TOPIC))
    yield _drops(facts.system.get(DROPPED_TOPIC))


def _session(facts: MqttFacts, wanted: float) -> Finding:
    if not facts.kept:
        return fail(
            "mqtt session",
            "the broker forgot a session between two connections, so what comes while the bridge "
            "is away is lost; allow persistent sessions",
        )
    if facts.expiry < wanted:
        return warn(
            "mqtt session",
            f"the broker keeps a session for {facts.expiry:.0f} s, not for the {wanted:.0f} s of "
            "mqtt.session_expiry; a bridge that is away for longer loses messages",
        )
    return ok("mqtt session", "the broker keeps the session over reconnects")


def _window(facts: MqttFacts, version: str, wanted: int) -> Finding:
    if version != "5":
        return warn(
            "mqtt window",
            "MQTT 3.1.1 has no Receive Maximum: the broker's own window (often 20) bounds speed",
        )
    if facts.window is not None and facts.window < wanted:
        return warn(
            "mqtt window",
            f"the broker announces a window of {facts.window}, below mqtt.receive_maximum "
            f"({wanted}), and may hold its own side to it as well; with mosquitto set "
            "max_inflight_messages 0",
        )
    return ok("mqtt window", f"nothing speaks against a Receive Maximum of {wanted}")


def _version(text: str | None) -> Finding:
    found = re.fullmatch(r"mosquitto version (\d{1,9})\.(\d{1,9})\.(\d{1,9}).*", text or "")
    if found is None:
        what = f"it says {text[:_SHOWN]!r}" if text else f"it does not say ({VERSION_TOPIC})"
        return ok("mqtt version", f"{what}; only mosquitto's known faults are looked for")
    text = found[0][:_SHOWN]
    number = (int(found[1]), int(found[2]), int(found[3]))
    if number in _DROP_ALL:
        return warn(
            "mqtt version",
            f"{text} drops every queued message with max_queued_messages 0; upgrade, or set a "
            "number there",
        )
    if number < _WINDOW_HELD_SINCE:
        return warn(
            "mqtt version",
            f"{text} does not hold the in-flight window (fixed in 2.0.13): more messages than "
            "mqtt.receive_maximum may be redelivered after a crash, and take memory; upgrade",
        )
    return ok("mqtt version", f"{text} has none of the known faults")


def _drops(text: str | None) -> Finding:
    if text is None or not re.fullmatch(r"[0-9]{1,18}", text):
        return ok(
            "mqtt drops",
            f"the broker does not say what it dropped ({DROPPED_TOPIC}); no client can see its "
            "queue limit: set it for the longest outage",
        )
    if int(text):
        return warn(
            "mqtt drops",
            f"the broker has dropped {text} messages since it started; raise max_queued_messages "
            "and max_queued_bytes (1000 messages by default), see docs/operations/brokers.md",
        )
    return ok(
        "mqtt drops",
        "the broker has dropped nothing since it started; no client can see its queue limit: set "
        "it for the longest outage",
    )
