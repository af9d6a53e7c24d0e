"""How the checkpoint stands to its topic: is it the one that it knows, and is all still there?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aggregator.errors import DataLossError
from isotherm.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aggregator.kafka.availability import Extent, Survey
    from isotherm.log import Log

CHOICE: Final = (
    "--accept-loss goes on with what is there and keeps the totals; the audit's `missing` shows "
    "what is gone"
)
"""What a person may do about records that are gone."""

_NOTE: Final = "isotherm.json"
"""Beside Spark's own files in the checkpoint, which leave it alone."""


def require_all(
    topic: str, extent: Extent, *, known: str | None, position: Mapping[int, int]
) -> dict[int, int]:
    """Refuse a topic that is not the one that the checkpoint knows.

    Args:
        topic: its name, for the sentence.
        extent: what it holds now.
        known: the id that it had; None where nobody noted it.
        position: for each partition the offset at which counting goes on.

    Returns:
        For each partition how many offsets are gone that were not counted; only those with some.

    Raises:
        DataLossError: it was made anew, or is shorter than what was counted of it.
    """
    short = [number for number, offset in position.items() if offset > extent.end.get(number, -1)]
    if short or known not in (None, extent.topic_id):
        raise DataLossError(
            f"topic {topic} was made anew since this checkpoint counted it, or lost its end: what "
            "is in it now was not counted, and what was not counted before is gone from Kafka. To "
            "count the new one from its beginning, give a new --checkpoint (the old ledger stays "
            "as it is: isotherm-aggregator ledger export)"
        )
    return {
        number: extent.first[number] - offset
        for number, offset in sorted(position.items())
        if extent.first[number] > offset
    }


def lost_sentence(topic: str, gone: Mapping[int, int]) -> str:
    """What is gone, for the person at 3 a.m.; offsets, since transactions leave some empty."""
    where = ", ".join(f"{count} of partition {number}" for number, count in gone.items())
    return (
        f"records of topic {topic} that were not counted yet are gone from Kafka, deleted by its "
        f"retention: {sum(gone.values())} offsets ({where})"
    )


def noted_topic(folder: Path | None) -> str | None:
    """The id of the topic as it was noted in a checkpoint; None where it was not."""
    if folder is None:
        return None
    try:
        found = json.loads((folder / _NOTE).read_text(encoding="utf-8"))["topic_id"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return str(found)


class Standing:
    """Compares a checkpoint in a local folder with its topic; one elsewhere is left to Spark.

    Args:
        survey: asks Kafka.
        topic: the topic.
        folder: the checkpoint; None where it lies in a remote store.
        accept_loss: whether to go on where records are gone.
        log: where it is said that it goes on.
    """

    def __init__(
        self, survey: Survey, *, topic: str, folder: Path | None, accept_loss: bool, log: Log
    ) -> None:
        self._survey = survey
        self._topic = topic
        self._folder = folder
        self._accept_loss = accept_loss
        self._log = log
        self._known: str | None = None

    def check(self, position: Mapping[int, int]) -> None:
        """Look, and note the topic's id the first time.

        Args:
            position: for each partition the offset at which counting goes on.

        Raises:
            DataLossError: the topic was made anew, or records are gone and that is not accepted.
        """
        extent = self._survey()
        if extent is None:
            return
        known = self._known or noted_topic(self._folder)
        gone = require_all(self._topic, extent, known=known, position=position)
        if gone and not self._accept_loss:
            raise DataLossError(f"{lost_sentence(self._topic, gone)}. {CHOICE}")
        if gone:
            self._log.warning("going on without what is gone", offsets=sum(gone.values()))
        self._known = extent.topic_id
        self._note(extent.topic_id)

    def _note(self, topic_id: str) -> None:
        if self._folder is not None and noted_topic(self._folder) != topic_id:
            self._folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"topic": self._topic, "topic_id": topic_id})
            write_whole(self._folder / _NOTE, text.encode())
