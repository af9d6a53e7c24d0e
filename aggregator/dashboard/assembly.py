"""Puts the scopes of a snapshot together again: in Kafka each is a record of its own."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from contract.moment import parse_event_time

SCHEMA: Final = "isotherm.snapshot/1"
PATIENCE_S: Final = 0.3
"""How long a snapshot waits for further scopes where nobody knows how many it has."""
_REMEMBERED: Final = 16

Snapshot = dict[str, Any]
Key = tuple[str, int | None, str]


def read(text: bytes) -> Snapshot:
    """The snapshot in a record or a line.

    Raises:
        ValueError: there is none that the page can show; the message says why.
    """
    try:
        found: Any = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    why = problem(found)
    if why is not None:
        raise ValueError(why)
    snapshot: Snapshot = found
    return snapshot


def _no_number(name: str) -> NoReturn:
    # Browsers refuse what Python would write for it.
    raise ValueError(f"{name} is no number")


def problem(found: object) -> str | None:
    """Why something is no snapshot that the page can show; None where it is one."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return f"it is not {SCHEMA}"
    window, scopes = found.get("window"), found.get("scopes")
    if not (
        isinstance(window, dict)
        and isinstance(window.get("end"), str)
        and isinstance(scopes, dict)
        and isinstance(found.get("query_id"), str)
        and isinstance(found.get("batch_id"), int | None)
    ):
        return "it has no query_id, batch_id, window or scopes"
    try:
        parse_event_time(window["end"])
    except ValueError as error:
        return f"its window's end is {error}"
    for name, analytics in scopes.items():
        if not _shown(analytics):
            return f"its scope {name} has no averages by state or no total_messages"
    return None


def _shown(analytics: Any) -> bool:
    if not isinstance(analytics, dict) or not isinstance(analytics.get("total_messages"), int):
        return False
    averages = analytics.get("average_temperature_by_state")
    return isinstance(averages, list) and all(
        isinstance(pair, list)
        and len(pair) == len(("state", "average"))
        and isinstance(pair[0], str)
        and isinstance(pair[1], int | float)
        and math.isfinite(pair[1])
        for pair in averages
    )


def key(snapshot: Snapshot) -> Key:
    """What its records share."""
    return snapshot["query_id"], snapshot["batch_id"], snapshot["window"]["end"]


class Assembly:
    """Takes records in any order and gives whole snapshots, oldest first."""

    def __init__(self) -> None:
        self._open: dict[Key, tuple[float, Snapshot]] = {}
        self._given: dict[Key, Snapshot] = {}
        self._scopes: frozenset[str] = frozenset()

    def add(self, record: Snapshot, now: float) -> None:
        """Take one.

        Args:
            record: a snapshot with some of its scopes.
            now: seconds, monotonic.
        """
        name = key(record)
        since, known = self._open.get(name, (now, self._given.get(name, record)))
        scopes = {**known["scopes"], **record["scopes"]}
        self._open[name] = (since, {**known, "scopes": scopes})

    def take(self, now: float) -> list[Snapshot]:
        """Those that have all scopes that the one before had, or have waited long enough."""
        names = [
            name
            for name, (since, snapshot) in self._open.items()
            if now - since >= PATIENCE_S
            or (self._scopes and self._scopes <= set(snapshot["scopes"]))
        ]
        found = sorted((self._open.pop(name)[1] for name in names), key=lambda each: key(each)[2])
        for snapshot in found:
            self._scopes = frozenset(snapshot["scopes"])
            self._given[key(snapshot)] = snapshot
        for old in list(self._given)[:-_REMEMBERED]:
            del self._given[old]
        return found
