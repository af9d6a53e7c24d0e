"""The file that remembers what the webhook was told, so that a restart does not tell it again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from dashboard.alerts.alert import Alert
from dashboard.alerts.condition import Key
from dashboard.alerts.notified import Told
from dashboard.alerts.rules import FLEET
from isotherm.contract.event_time import format_event_time, parse_event_time
from isotherm.contract.foreign_json import decode_object, excerpt, is_finite
from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA: Final = "isotherm.alerts-told/1"
_MAX_BYTES: Final = 1 << 20
_PLACES: Final = frozenset({*STATES, FLEET})


def load(path: Path) -> dict[Key, Told]:
    """What it holds; nothing where there is no file yet.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    try:
        with path.open("rb") as file:
            content = decode_object(file.read(_MAX_BYTES + 1), max_bytes=_MAX_BYTES)
    except FileNotFoundError:
        return {}
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}, and not {SCHEMA!r}")
        found = {}
        for row in content["told"]:
            key = Key(str(row["name"]), str(row["state"]))
            if key.place not in _PLACES or not is_finite(row["value"]):
                raise ValueError(f"it has an alert of {excerpt(key.place)}")
            since = parse_event_time(row["since"])
            alert = Alert(key=key, since=since, value=float(row["value"]))
            found[key] = Told(alert, parse_event_time(row["at"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no file of alerts: {error!r}") from error
    return found


def save(path: Path, told: Mapping[Key, Told]) -> None:
    """Write it beside the file and put it in its place, so that a crash leaves a whole one.

    Raises:
        OSError: it cannot be written.
    """
    rows = [
        {
            "name": alert.key.name,
            "state": alert.key.place,
            "since": format_event_time(alert.since),
            "at": format_event_time(at),
            "value": alert.value,
        }
        for alert, at in told.values()
    ]
    new = path.with_name(f"{path.name}.new")
    # Made anew, whatever stands there: a link that somebody put there is not followed.
    new.unlink(missing_ok=True)
    made = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(made, "w", encoding="utf-8") as file:
        json.dump({"schema": SCHEMA, "told": rows}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
