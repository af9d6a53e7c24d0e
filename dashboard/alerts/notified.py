"""What a sink has notified of and what is due next; and the file that remembers it."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dashboard.alerts.alert import Alert
from dashboard.alerts.condition import Key
from dashboard.alerts.rules import FLEET
from isotherm.contract.event_time import format_event_time, parse_event_time
from isotherm.contract.foreign_json import decode_object, excerpt, is_finite
from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from pathlib import Path

SCHEMA: Final = "isotherm.alerts-told/1"
WEBHOOK: Final = "webhook"
"""The sink whose alerts stand under `told`, where the first version of the file has them."""
_MAX_BYTES: Final = 8 << 20
"""Of the file: some 130 bytes for each alert and sink."""
_PLACES: Final = frozenset({*STATES, FLEET})


class Notified(NamedTuple):
    """An alert that a sink has notified of, and that is not over.

    Attributes:
        alert: as it was.
        at: when, nanoseconds since 1970.
    """

    alert: Alert
    at: int


class Notice(NamedTuple):
    """A message that is due.

    Attributes:
        alert: which.
        firing: whether it is, or is over.
        again: whether it was sent before.
        at: when it was decided, nanoseconds since 1970.
    """

    alert: Alert
    firing: bool
    again: bool
    at: int


def due(
    notified: Mapping[Key, Notified], firing: Iterable[Alert], now: int, repeat: int
) -> Iterator[Notice]:
    """The notices that are due.

    Args:
        notified: what a sink has notified of, and is not over.
        firing: what is firing.
        now: nanoseconds since 1970.
        repeat: nanoseconds after which what is still firing is sent again.
    """
    left = dict(notified)
    for alert in firing:
        before = left.pop(alert.key, None)
        if before is None:
            yield Notice(alert, firing=True, again=False, at=now)
        elif now - before.at >= repeat:
            # One alert keeps its beginning, whatever a restart has found of it.
            same = alert._replace(since=before.alert.since)
            yield Notice(same, firing=True, again=True, at=now)
    for key in sorted(left):
        yield Notice(left[key].alert, firing=False, again=False, at=now)


def after(notified: Mapping[Key, Notified], notice: Notice) -> dict[Key, Notified]:
    """What a sink has notified of once this notice is sent."""
    found = dict(notified)
    if notice.firing:
        found[notice.alert.key] = Notified(notice.alert, notice.at)
    else:
        found.pop(notice.alert.key, None)
    return found


class NotifiedFile:
    """Remembers what each sink has notified of, so that a restart does not repeat it.

    May be used from any thread. A file of the version before is read, and that version reads what
    is written here, but for other sinks than the webhook.

    Args:
        path: of the file; nothing is known where there is none yet.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._by_sink = _read(path)

    def of(self, sink: str) -> dict[Key, Notified]:
        """What a sink has notified of."""
        with self._lock:
            return dict(self._by_sink.get(sink, {}))

    def alerts(self, sinks: Container[str]) -> list[Alert]:
        """The alerts that sinks have notified of, each once.

        Args:
            sinks: those that there are. Nobody takes back what another one has sent, so it would
                fire at each start.
        """
        with self._lock:
            known = {
                one.alert.key: one.alert
                for sink, notified in self._by_sink.items()
                if sink in sinks
                for one in notified.values()
            }
        return list(known.values())

    def keep(self, names: Container[str]) -> None:
        """Forget alerts of other rules than these: nothing would ever end them."""
        with self._lock:
            for sink, notified in self._by_sink.items():
                kept = {key: one for key, one in notified.items() if key.name in names}
                self._by_sink[sink] = kept

    def save(self, sink: str, notified: Mapping[Key, Notified]) -> None:
        """Write it beside the file and put it in its place, so that a crash leaves a whole one.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            self._by_sink[sink] = dict(notified)
            others = {
                name: _rows(known)
                for name, known in self._by_sink.items()
                if name != WEBHOOK and known
            }
            content: dict[str, Any] = {
                "schema": SCHEMA,
                "told": _rows(self._by_sink.get(WEBHOOK, {})),
            }
            if others:
                content["sinks"] = others
            new = self._path.with_name(f"{self._path.name}.new")
            # A new file in any case: a link that somebody put there is not followed.
            new.unlink(missing_ok=True)
            made = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)


def _read(path: Path) -> dict[str, dict[Key, Notified]]:
    try:
        with path.open("rb") as file:
            content = decode_object(file.read(_MAX_BYTES + 1), max_bytes=_MAX_BYTES)
    except FileNotFoundError:
        return {}
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}, and not {SCHEMA!r}")
        found = {WEBHOOK: _parsed(content["told"])}
        for sink, known in content.get("sinks", {}).items():
            found[sink] = _parsed(known)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no file of alerts: {error!r}") from error
    return found


def _parsed(listed: Any) -> dict[Key, Notified]:
    found = {}
    for row in listed:
        key = Key(str(row["name"]), str(row["state"]))
        if key.place not in _PLACES or not is_finite(row["value"]):
            raise ValueError(f"it has an alert of {excerpt(key.place)}")
        since = parse_event_time(row["since"])
        alert = Alert(key=key, since=since, value=float(row["value"]))
        found[key] = Notified(alert, parse_event_time(row["at"]))
    return found


def _rows(notified: Mapping[Key, Notified]) -> list[dict[str, Any]]:
    return [
        {
            "name": alert.key.name,
            "state": alert.key.place,
            "since": format_event_time(alert.since),
            "at": format_event_time(at),
            "value": alert.value,
        }
        for alert, at in notified.values()
    ]
