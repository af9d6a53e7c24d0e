"""Puts the scopes of a snapshot together again: in Kafka each is a record of its own."""

from __future__ import annotations

from typing import Any, Final

SCHEMA: Final = "isotherm.snapshot/1"
PATIENCE_S: Final = 0.3
"""How long a snapshot waits for further scopes where nobody knows how many it has."""
_REMEMBERED: Final = 16

Snapshot = dict[str, Any]
Key = tuple[str, int | None, str]


def problem(found: object) -> str | None:
    """Why something is no snapshot that the page can show; None where it is one."""
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return f"it is not {SCHEMA}"
    window, scopes = found.get("window"), found.get("scopes")
    whole = (
        isinstance(window, dict)
        and isinstance(window.get("end"), str)
        and isinstance(scopes, dict)
        and isinstance(found.get("query_id"), str)
        and isinstance(found.get("batch_id"), int | None)
    )
    return None if whole else "it has no query_id, batch_id, window or scopes"


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
