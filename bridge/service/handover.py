"""From one kind of session to the other: without `--shards` and with them.

A broker goes on queueing for the sessions of the kind that no longer runs, and would give all of it
again to whoever comes back to that kind. So before a bridge takes its first message it looks for
sessions of the other kind, and empties and ends them:

1. its own sessions have subscribed, so nothing is lost from here on;
2. the others give up their filters, so nothing more comes to them;
3. what they hold is forwarded, as by a bridge of that kind;
4. what came to both between 1 and 2 is the same bytes on the same topic, within moments; it is
   delivered already, and only acknowledged when the own sessions give it;
5. they are ended with the broker, and that is noted.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.errors import SessionsLeftError
from bridge.kafka.errors import FencedError, SinkClosingError, SinkUnavailableError
from bridge.mqtt.filters import overlap
from bridge.settings import SHARDS_IN_GROUP, group_id
from isotherm.backoff import Backoff
from isotherm.mqtt.topics import SHARDS, shard_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.kafka.find_notes import Known
    from bridge.kafka.session_notes import Note
    from bridge.service.lane import Lane
    from bridge.settings import BridgeSettings
    from isotherm.log import Log

_LOOK_S: Final = 0.1
_QUIET_S: Final = 2.0
"""Nothing came for so long over an open window: time to ask whether the broker holds more."""
_REFUSED_S: Final = 60.0
_STEP_S: Final = 5.0


def others(settings: BridgeSettings) -> dict[str, frozenset[str]]:
    """The sessions that the other kind has, each with the filters that it has by default."""
    if settings.shards is not None:
        return {settings.client_id: frozenset()}
    return {
        group_id(settings.client_id, group): frozenset(
            shard_filter(shard) for shard in range(group, group + SHARDS_IN_GROUP)
        )
        for group in range(0, SHARDS, SHARDS_IN_GROUP)
    }


def to_end(
    settings: BridgeSettings,
    filters: Sequence[str],
    found: dict[str, Known],
    now: float,
    *,
    ours: bool,
) -> dict[str, Note]:
    """The sessions that are to be emptied and ended.

    Args:
        settings: of the whole bridge.
        filters: all of its own.
        found: what is noted in Kafka under the client ids of `others`.
        now: seconds since 1970.
        ours: whether this kind has run before, by what is noted under its own client ids.

    Raises:
        SessionsLeftError: that would lose something, or cannot be known.
    """
    names = others(settings)
    noted: dict[str, Note] = {}
    silent: list[str] = []
    for name, each in found.items():
        if each.note is None:
            if now - each.at < settings.session_expiry:
                silent.append(name)
        elif (
            each.note.bridge == settings.client_id
            and each.note.sharded != (settings.shards is not None)
            and not each.note.ended
            and now - each.at < each.note.expiry
            and any(overlap(one, two) for one in each.note.filters for two in filters)
        ):
            noted[name] = each.note
    if silent and not noted and not ours:
        raise SessionsLeftError(
            f"an earlier version ran under {', '.join(sorted(silent))}, and the MQTT broker may "
            "still queue for that; start this version once with the same --client-id and --shards "
            "as then, until it says ready, and then as now"
        )
    if not noted:
        return {}
    if settings.shards is not None and len(settings.shards) < SHARDS:
        raise SessionsLeftError(
            f"the session {', '.join(sorted(noted))} has the readings of all shards; start one "
            f"bridge with --shards 0-{SHARDS - 1} until it says ready, which forwards what the "
            "MQTT broker holds for it and ends it, and then divide the shards"
        )
    # Those that wrote nothing lately may be there as well.
    pattern = next(iter(noted.values()))
    return {
        name: noted.get(name) or pattern._replace(filters=filters_by_default)
        for name, filters_by_default in names.items()
        if name in noted or (name not in found and filters_by_default)
    }


class Handover:
    """Ends the sessions of the other kind, once, before any lane takes a message.

    Args:
        settings: of the whole bridge.
        make: makes the lane that empties a session.
        log: says what is ended, and what cannot be.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        make: Callable[[BridgeSettings, Note], Lane],
        log: Log,
    ) -> None:
        self._settings = settings
        self._make = make
        self._log = log
        self.stopping = threading.Event()
        self.lanes: Sequence[Lane] = ()
        """Those of the bridge; to be set before they start."""
        self._lock = threading.Lock()
        self._over = False
        self._none_left = True
        self._delivered: set[bytes] = set()
        self._delivered_ever: set[bytes] = set()

    def __call__(self, lane: Lane) -> tuple[list[bytes], bool]:
        """Wait until the others are ended.

        Returns:
            The positions of what they had and this lane has, too; and whether none of them is left.

        Raises:
            SinkClosingError: the bridge is stopping.
            SessionsLeftError: see `to_end`.
        """
        notebook = lane.notebook
        if notebook.earlier is not None and notebook.earlier.alone and not notebook.earlier.ended:
            # Whoever ran as the other kind since would have ended this session.
            return [], True
        while not self._lock.acquire(timeout=_LOOK_S):
            self._check_stopping()
        try:
            if not self._over:
                self._end_all(ours=notebook.there and notebook.earlier is None)
                self._over = True
        finally:
            self._lock.release()
        # What a broker had kept is no new message, however long ago it was delivered.
        known = ((False, self._delivered), (True, self._delivered_ever))
        marks = [
            mark
            for retained, delivered in known
            if delivered
            for mark in lane.early(retained=retained)
            if mark[2:] in delivered
        ]
        return marks, self._none_left

    def _check_stopping(self) -> None:
        if self.stopping.is_set():
            raise SinkClosingError("the bridge is stopping")

    def _end_all(self, *, ours: bool) -> None:
        found = self._find()
        filters = [name for lane in self.lanes for name in lane.filters]
        notes = to_end(self._settings, filters, found, time.time(), ours=ours)
        if not notes:
            return
        self._log.info("sessions of the other kind", client_ids=",".join(sorted(notes)))
        while not all(lane.joined or lane.failure for lane in self.lanes):
            # Until all filters of ours are subscribed, what the others queue comes to nobody else.
            self._check_stopping()
            self.stopping.wait(_LOOK_S)
        ending = [
            self._make(replace(self._settings, client_id=name, shards=None), note)
            for name, note in notes.items()
        ]
        for lane in ending:
            lane.start()
        try:
            while ending:
                self._check_stopping()
                self.stopping.wait(_LOOK_S)
                ending = [lane for lane in ending if not self._ended(lane)]
        finally:
            for lane in ending:
                lane.stop(0.0)

    def _find(self) -> dict[str, Known]:
        try:
            from bridge.kafka.kafka_python.read_notes import read_notes  # noqa: PLC0415 a wheel
        except ImportError:
            self._none_left = False
            self._log.warning(
                "sessions of the other kind are not looked for",
                why="kafka-python is not installed: pip install 'isotherm[bridge]'",
            )
            return {}
        pauses = Backoff(longest=5.0)
        while True:
            self._check_stopping()
            try:
                found = read_notes(self._settings, others(self._settings), self.stopping)
            except SinkUnavailableError:
                # The lanes say that Kafka is away.
                self.stopping.wait(pauses.next())
            else:
                break
        if found.unread:
            self._none_left = False
            self.lanes[0].stats.searches_cut += 1
            self._log.warning(
                "sessions of the other kind may be left",
                client_ids=",".join(sorted(found.unread)),
                why=f"{self._settings.position_topic} holds more than can be read at a start, and "
                "what was noted of these may be further back; if one was in use, the MQTT broker "
                "may still queue for it, and a bridge of that kind would double it",
            )
        return found.known

    def _ended(self, lane: Lane) -> bool:
        """Whether that is done with; ends it once it is empty."""
        failure = lane.failure
        if failure is not None:
            lane.stop(0.0)
            if isinstance(failure, FencedError):
                # Another bridge runs as the other kind, or ends its sessions like us.
                return self._not_ended(lane, str(failure))
            raise failure
        if not lane.left_behind.is_set() or lane.quiet_s < _QUIET_S:
            if lane.waited_s > _REFUSED_S and all(each.mqtt.available for each in self.lanes):
                lane.stop(0.0)
                return self._not_ended(
                    lane,
                    "the MQTT broker does not take its client id, or does not end its "
                    "subscriptions; it goes on queueing until the session expires",
                )
            return False
        if not lane.is_empty(_STEP_S):
            return False
        self._delivered |= lane.delivered()
        self._delivered_ever |= lane.delivered(earlier=True)
        forwarded = lane.stats.delivered
        try:
            ended = lane.finish(_STEP_S)
        except OSError as error:
            lane.stop(0.0)
            return self._not_ended(lane, str(error))
        if ended:
            self._log.info("session ended", client_id=lane.client_id, forwarded=forwarded)
        return ended

    def _not_ended(self, lane: Lane, why: str) -> bool:
        self._none_left = False
        self._log.error("session not ended", client_id=lane.client_id, why=why)
        return True
