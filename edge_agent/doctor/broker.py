"""What is to be said of the MQTT broker, and of others that use our name there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.doctor.finding import fail, ok, warn
from contract.status import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contract.doctor.finding import Finding


@dataclass(frozen=True, kw_only=True)
class BrokerFacts:
    """What a connection under another name showed.

    Attributes:
        away: why there was none; None where there was one.
        refused: whether it answers, and does not let us in.
        window: the Receive Maximum that the broker announced.
        retained: the device's status that the broker keeps; None where there is none.
        unreadable: why that could not be read.
    """

    away: str | None = None
    refused: bool = False
    window: int = 65_535
    retained: bytes | None = None
    unreadable: str = ""


def check_broker(
    facts: BrokerFacts, *, url: str, device: str, window: int, boot: str, in_use: bool
) -> Iterator[Finding]:
    """Judge it.

    Args:
        facts: what was seen.
        url: ``mqtt.url``.
        device: the client id.
        window: ``mqtt.window``.
        boot: this board's boot id.
        in_use: whether an agent runs with this outbox.
    """
    if facts.away is not None:
        hint = (
            f"; see mqtt.username and mqtt.password_file, and what the broker lets {device} do"
            if facts.refused
            else ""
        )
        yield fail("mqtt", f"{url}: {facts.away}{hint}", dependency=True)
        return
    yield ok("mqtt", f"{url} lets us in")
    if facts.window < window:
        yield ok("mqtt window", f"the broker takes {facts.window} at once, mqtt.window is {window}")
    if facts.unreadable:
        yield warn(
            "mqtt status",
            f"our own retained status may not be read ({facts.unreadable}): a restored outbox is "
            "noticed only where it is; let the device read isotherm/v1/status/" + device,
        )
        return
    yield _holder(facts.retained, device, boot, in_use=in_use)


def _holder(retained: bytes | None, device: str, boot: str, *, in_use: bool) -> Finding:
    status = _decoded(retained)
    if status is None:
        return ok("client id", f"the broker knows no status of {device} yet")
    if not status.get("online"):
        return ok("client id", f"no agent is connected as {device}")
    if status.get("boot") != boot:
        return fail(
            "client id",
            f"another board is connected as {device}, says its status of {status.get('time')}: two "
            "throw each other out; give each a device.id of its own",
        )
    if not in_use:
        return fail(
            "client id",
            f"an agent on this board is connected as {device} with another outbox than this "
            "outbox.path: stop it, or give this one a device.id of its own",
        )
    return ok("client id", f"this board's agent is connected as {device}")


def _decoded(retained: bytes | None) -> dict[str, Any] | None:
    try:
        status = json.loads(retained or b"")
    except (ValueError, RecursionError):
        return None
    return status if isinstance(status, dict) and status.get("schema") == SCHEMA else None
