"""What is to be said of the MQTT broker, and of others that use our name there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edge_agent.mqtt.events import MQTT_3, MQTT_5
from isotherm.doctor.finding import fail, ok, warn
from isotherm.mqtt.status import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.mqtt.broker.note import BrokerNote
    from isotherm.doctor.finding import Finding

_LONGEST_TIME: Final = 40


@dataclass(frozen=True, kw_only=True)
class BrokerFacts:
    """What a connection under another name showed.

    Attributes:
        away: why there was none; None where there was one.
        refused: whether it answers, and does not let us in.
        window: the Receive Maximum that the broker announced.
        maximum_packet: bytes of the largest packet, as it announced; None where it announced none.
        maximum_qos: the highest QoS that it takes.
        retain: whether it keeps retained messages.
        will_lack: what it does not take of the agent's last will; empty where it takes all.
        retained: the device's status that the broker keeps; None where there is none.
        unreadable: why that could not be read.
        version: of MQTT that it speaks with us.
    """

    away: str | None = None
    refused: bool = False
    window: int = 65_535
    maximum_packet: int | None = None
    maximum_qos: int = 2
    retain: bool = True
    will_lack: str = ""
    retained: bytes | None = None
    unreadable: str = ""
    version: str = MQTT_5


def check_broker(
    facts: BrokerFacts,
    *,
    url: str,
    device: str,
    window: int,
    boot: str,
    in_use: bool,
    note: BrokerNote | None = None,
) -> Iterator[Finding]:
    """Judge it.

    Args:
        facts: what was seen.
        url: ``mqtt.url``.
        device: the client id.
        window: ``mqtt.window``.
        boot: this board's boot id.
        in_use: whether an agent runs with this outbox.
        note: what that agent noted of its own connection.
    """
    if facts.away is not None:
        hint = (
            f"; see mqtt.username and mqtt.password_file, and what the broker lets {device} do"
            if facts.refused
            else "; see whether the broker runs, and mqtt.url"
        )
        yield fail("mqtt", f"{url}: {facts.away}{hint}", dependency=True)
        return
    said = _announcement(facts.window, facts.maximum_packet, facts.maximum_qos, facts.retain)
    yield ok("mqtt", f"{url} lets us in; {said}")
    yield from _announced(
        window=facts.window,
        asked=window,
        qos=facts.maximum_qos,
        retain=facts.retain,
        will_lack=facts.will_lack,
    )
    if facts.version == MQTT_3:
        yield warn(
            "mqtt version",
            "it speaks MQTT 3.1.1, which does not say whether anybody gets a reading, which limits "
            "it has, nor that it refuses a reading; with MQTT 5 it would",
        )
    seen = in_use and note is not None and note.own_status
    if facts.unreadable and not seen:
        yield _unreadable(facts.unreadable, device)
        return
    if not facts.retain:
        return
    if seen and facts.retained is None:
        yield ok(
            "client id",
            f"this board's agent is connected as {device}, and reads its status; the broker does "
            "not show it to the doctor, which has another client id",
        )
        return
    yield _holder(facts.retained, device, boot, in_use=in_use)


def check_note(
    note: BrokerNote | None, *, url: str, device: str, window: int, name: str
) -> Iterator[Finding]:
    """Judge what a running agent noted, in place of a connection that could throw it out.

    Args:
        note: None where it noted nothing.
        url: ``mqtt.url``.
        device: the client id.
        window: ``mqtt.window``.
        name: the setting that names the agent to the broker.
    """
    why = (
        f"the doctor does not connect beside the running agent, since a broker that takes {name} "
        "for the client id would throw that out"
    )
    if note is None:
        yield warn("mqtt", f"{url}: {why}; stop the agent, and ask again")
        return
    if not note.connected:
        said = f"{url}: the agent that runs here says: {note.why}"
        yield fail("mqtt", said, dependency=True)
        return
    said = _announcement(
        note.receive_maximum, note.maximum_packet or None, note.maximum_qos, note.retain
    )
    yield ok("mqtt", f"{url} lets the agent in that runs here; {said}; {why}")
    yield from _announced(
        window=note.receive_maximum,
        asked=window,
        qos=note.maximum_qos,
        retain=note.retain,
        will_lack=note.will_lack,
    )
    if note.unreadable:
        yield _unreadable(note.unreadable, device)
    if note.rival:
        yield fail(
            "client id",
            f"another agent uses device.id {device}, says the agent that runs here: the two throw "
            "each other out; give each a device.id of its own",
        )
    else:
        yield ok("client id", f"this board's agent is connected as {device}")


def _announcement(window: int, packet: int | None, qos: int, retain: bool) -> str:  # noqa: FBT001 as it came
    size = "any size" if packet is None else f"{packet} bytes"
    kept = "with" if retain else "without"
    return (
        f"it takes {window} messages at once, packets of {size}, QoS up to {qos}, {kept} retained "
        "messages"
    )


def _announced(
    *, window: int, asked: int, qos: int, retain: bool, will_lack: str
) -> Iterator[Finding]:
    if window < asked:
        yield ok("mqtt window", f"the broker takes {window} at once, mqtt.window is {asked}")
    if not qos:
        yield warn(
            "mqtt qos",
            "the broker takes QoS 0 only: delivery cannot be promised; have its operator allow "
            "QoS 1 (mosquitto: max_qos)",
        )
    if not retain:
        yield warn(
            "mqtt retain",
            "the broker keeps no retained messages: whoever comes later sees no status, and a copy "
            "of the outbox goes unseen (mosquitto: retain_available)",
        )
    if will_lack:
        yield warn("mqtt will", will_lack)


def _unreadable(why: str, device: str) -> Finding:
    return warn(
        "mqtt status",
        f"our own retained status may not be read ({why}): a restored outbox is noticed only where "
        f"it is; let the device read isotherm/v1/status/{device}",
    )


def _holder(retained: bytes | None, device: str, boot: str, *, in_use: bool) -> Finding:
    if retained is None:
        said = (
            f"the broker shows the doctor no status of {device}: there is none yet, or its rules "
            f"let the client id {device} alone read it (an ACL with %c)"
        )
        return ok("client id", said)
    status = _decoded(retained)
    if status is None:
        return warn(
            "client id",
            f"what the broker keeps under isotherm/v1/status/{device} is no status of ours "
            f"({len(retained)} bytes); the agent writes its own over it: see who else may publish "
            "there",
        )
    if not status.get("online"):
        return ok("client id", f"no agent is connected as {device}")
    if status.get("boot") != boot:
        return fail(
            "client id",
            f"another board is connected as {device}, says its status of {_time(status)}: two "
            "throw each other out; give each a device.id of its own",
        )
    if not in_use:
        return fail(
            "client id",
            f"an agent on this board is connected as {device} with another outbox than this "
            "outbox.path: stop it, or give this one a device.id of its own",
        )
    return ok("client id", f"this board's agent is connected as {device}")


def _time(status: dict[str, Any]) -> str:
    """What it says, as far as it may stand on a terminal."""
    time = status.get("time")
    if isinstance(time, str) and len(time) <= _LONGEST_TIME and time.isascii():
        return time if time.isprintable() else "a time that cannot be read"
    return "a time that cannot be read"


def _decoded(retained: bytes) -> dict[str, Any] | None:
    try:
        status = json.loads(retained)
    except (ValueError, RecursionError):
        return None
    return status if isinstance(status, dict) and status.get("schema") == SCHEMA else None
