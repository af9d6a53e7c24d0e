"""What a bridge notes of its MQTT session in Kafka: its next life knows what the broker holds.

A broker keeps a session, its subscriptions and its queue whether or not anybody resumes it, and has
no way to be asked for them. So each position record carries a header that says which session this
is, and which filters it may have. Records of versions that wrote no such header stay readable, and
those versions look at no header but their own.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from isotherm.contract.foreign_json import ForeignJsonError, decode_object, is_count
from isotherm.mqtt.topics import ALL_READINGS, SHARDS, shard_filter

if TYPE_CHECKING:
    from bridge.settings import BridgeSettings

HEADER: Final = "session"
_MOST_BYTES: Final = 1_000_000
_MOST_SECONDS: Final = 2**32 - 1
_MOST_FILTERS: Final = 10_000
_MOST_FILTER_BYTES: Final = 65_535
"""Of one filter (MQTT 5.0, section 1.5.4)."""
_WHOLE: Final = "whole"
_SHARDS: Final = "shards"
_VERSION: Final = 1

USUAL: Final = frozenset((ALL_READINGS, *map(shard_filter, range(SHARDS))))
"""Filters that a session may have of which nothing was noted."""


class Note(NamedTuple):
    """What was noted of one session.

    Attributes:
        bridge: the client id in the settings; that of the session has a number behind with shards.
        sharded: whether it is one of those for shards.
        filters: that it may be subscribed to.
        expiry: seconds for which the broker keeps it.
        ended: whether it was ended, queue and all.
        alone: whether sessions of the other kind (with shards or without) were looked for and ended
            since it runs.
        granted: whether the broker confirmed all of the filters at QoS 1.
        made: whether the broker had the session at some time.
        lost: when the broker last had no session though it should have, seconds since 1970; or 0.
    """

    bridge: str
    sharded: bool
    filters: frozenset[str]
    expiry: int
    ended: bool = False
    alone: bool = False
    granted: bool = False
    made: bool = False
    lost: int = 0

    def header(self) -> bytes:
        """As it is written to Kafka: JSON."""
        return json.dumps(
            {
                "v": _VERSION,
                "bridge": self.bridge,
                "kind": _SHARDS if self.sharded else _WHOLE,
                "filters": sorted(self.filters),
                "expiry": self.expiry,
                "ended": self.ended,
                "alone": self.alone,
                "granted": self.granted,
                "made": self.made,
                "lost": self.lost,
            }
        ).encode()


def note_of(settings: BridgeSettings) -> Note:
    """The note of one lane's session (see `bridge.service.service.lane_settings`)."""
    sharded = settings.shards is not None
    name = settings.client_id
    return Note(
        bridge=name.rpartition("-")[0] if sharded else name,
        sharded=sharded,
        filters=frozenset(settings.subscribe),
        expiry=int(settings.session_expiry),
    )


def parse(header: bytes) -> Note | None:
    """A note out of a header; None where there is none, or one that no version of ours wrote."""
    if not header:
        return None
    try:
        found = decode_object(header, max_bytes=_MOST_BYTES)
        note = Note(
            bridge=found["bridge"],
            sharded={_WHOLE: False, _SHARDS: True}[found["kind"]],
            filters=frozenset(found["filters"]),
            expiry=found["expiry"],
            ended=found["ended"] is True,
            alone=found["alone"] is True,
            granted=found["granted"] is True,
            made=found["made"] is True,
            lost=found["lost"],
        )
    except (ForeignJsonError, TypeError, KeyError):
        return None
    # The filters go into packets to the broker: one that fits into none would end each connection.
    ours = (
        isinstance(found["bridge"], str)
        and isinstance(found["filters"], list)
        and len(note.filters) <= _MOST_FILTERS
        and all(map(_is_filter, note.filters))
        and is_count(note.expiry, _MOST_SECONDS)
        and is_count(note.lost, _MOST_SECONDS)
    )
    return note if ours else None


def _is_filter(name: object) -> bool:
    return (
        isinstance(name, str) and 0 < len(name.encode()) <= _MOST_FILTER_BYTES and "\0" not in name
    )


class Notebook:
    """The note of one running session; may be used from any thread.

    Args:
        ours: what the settings make of it.
    """

    def __init__(self, ours: Note) -> None:
        self.ours = ours
        self._lock = threading.Lock()
        self._header = ours.header()
        self._asked = False
        self._clean = False
        self.there = False
        """Whether anything was in Kafka under this client id when this life began."""
        self.earlier: Note | None = None
        """What an earlier life noted; None where none did, or of a version that did not note it."""
        self.incomplete = False
        """Whether more may be in Kafka than was found: the search was ended by its bound."""
        self.at = 0.0
        """When the last record was written, seconds since 1970; 0 where there is none."""

    @property
    def asked(self) -> bool:
        """Whether Kafka was asked what is there."""
        return self._asked

    def header(self) -> bytes:
        """What is to go with each position record."""
        return self._header

    def found(self, header: bytes, *, there: bool, at: float, incomplete: bool = False) -> None:
        """Say what was in Kafka; only the first time counts, later ones are of this life.

        Args:
            header: of the last record, empty where it had none.
            there: whether there was a record at all.
            at: when it was written, seconds since 1970.
            incomplete: whether not all of the position topic was looked through for it.
        """
        with self._lock:
            self.incomplete = self.incomplete or incomplete
            if self._asked:
                return
            self._asked = True
            self.there, self.at, self.earlier = there, at, parse(header)
            if self.earlier is not None and self.earlier.alone and not self.earlier.ended:
                self.ours = self.ours._replace(alone=True)
            if self.earlier is not None:
                self.ours = self.ours._replace(lost=max(self.earlier.lost, self.ours.lost))
            if self._made_before():
                self.ours = self.ours._replace(made=True)
            self._write()

    def _made_before(self) -> bool:
        if self.earlier is None:
            return self.there
        return self.earlier.made and not self.earlier.ended

    def _write(self) -> bool:
        """Make the header anew; whether it is another one."""
        former = self._header
        # Until the broker confirms that they are gone, the session may have the old ones, too.
        filters = self.ours.filters if self._clean else self.ours.filters | self.stale()
        self._header = self.ours._replace(filters=filters).header()
        return self._asked and self._header != former

    def stale(self) -> frozenset[str]:
        """Filters that the session may have and that the settings do not name."""
        if self.earlier is None:
            return USUAL - self.ours.filters
        return self.earlier.filters - self.ours.filters

    def held(self) -> frozenset[str]:
        """Filters that it is known to have."""
        if self.earlier is None or self.earlier.ended or not self.earlier.granted:
            return frozenset()
        return self.earlier.filters & self.ours.filters

    def settled(self, *, ended: bool = False) -> bool:
        """The session has what the settings name and nothing else, or was ended.

        Returns:
            Whether that is news that is to be written.
        """
        with self._lock:
            self._clean = True
            self.ours = self.ours._replace(ended=ended, granted=not ended, made=not ended)
            return self._write()

    def be_alone(self) -> bool:
        """There is no session of the other kind now; whether that is news that is to be written."""
        with self._lock:
            self.ours = self.ours._replace(alone=True)
            return self._write()

    def was_lost(self, now: float) -> None:
        """The broker had no session though it should have.

        Args:
            now: seconds since 1970.
        """
        with self._lock:
            self.ours = self.ours._replace(lost=int(now))
            self._write()

    def missing(self, now: float) -> bool:
        """Whether the broker should have had a session for us at our first connection.

        Args:
            now: seconds since 1970.
        """
        if not self._made_before():
            return False
        expiry = self.ours.expiry if self.earlier is None else self.earlier.expiry
        return now - self.at < expiry
