"""What Spark's checkpoint folder says about itself, read before Spark starts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aggregator.dead_letters.letter import Flood
from aggregator.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REMEDY: Final = (
    "bring back a copy of the checkpoint, with its ledger, from before; or give a new "
    "--checkpoint, which counts the topic from its beginning"
)
"""For a checkpoint of which something is gone."""

_UNREADABLE: Final = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError),
    RecursionError,
)
_SAID: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint folder says about itself.

    Attributes:
        query_id: None where no query has used it yet.
        committed: the last batch that Spark committed; None before the first.
        begun: the last batch that Spark began; -1 before the first.
        topic: the topic in which its offsets are; None before the first batch.
        start: for each partition the offset at which counting began; one that is not named came
            later and began with its first record.
        position: for each partition the offset behind what is committed.
    """

    query_id: str | None = None
    committed: int | None = None
    begun: int = -1
    topic: str | None = None
    start: Mapping[int, int] = field(default_factory=dict)
    position: Mapping[int, int] = field(default_factory=dict)

    def require_topic(self, topic: str) -> None:
        """Refuse a topic in which the checkpoint's offsets mean nothing.

        Raises:
            CheckpointError: names both.
        """
        if self.topic is not None and self.topic != topic:
            raise CheckpointError(
                f"the checkpoint holds offsets of topic {self.topic}, and --topic is {topic}: "
                f"give each topic a --checkpoint of its own, or --topic {self.topic}"
            )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder; one that does not exist yet is a new one.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        committed = last_number(folder / "commits")
        begun = last_number(folder / "offsets")
        if begun is None and committed is None and not (folder / "metadata").exists():
            return Checkpoint()
        query_id = json.loads((folder / "metadata").read_text(encoding="utf-8"))["id"]
        topic, _ = (None, {}) if begun is None else _offsets(folder / "offsets" / str(begun))
        start = {} if begun is None else _start(folder / "sources" / "0" / "0")
        position = start
        if committed is not None:
            _, position = _offsets(folder / "offsets" / str(committed))
        return Checkpoint(
            query_id=query_id,
            committed=committed,
            begun=-1 if begun is None else begun,
            topic=topic,
            start=start,
            position=position,
        )
    except FileNotFoundError as error:
        raise CheckpointError(
            f"the checkpoint {folder} has batches, but {error.filename} is missing: {REMEDY}"
        ) from error
    except _UNREADABLE as error:
        said = str(error) or type(error).__name__
        raise CheckpointError(
            f"the checkpoint {folder} cannot be read: {said[:_SAID]}; {REMEDY}"
        ) from error


def read_offsets(folder: Path, batch_id: int) -> Mapping[int, int] | None:
    """How far a batch goes, by partition of its topic; None where Spark does not tell (yet)."""
    try:
        _, offsets = _offsets(folder / "offsets" / str(batch_id))
    except _UNREADABLE:
        return None
    return offsets


def read_ranges(folder: Path, batch_id: int) -> list[Flood] | None:
    """Which records a batch has; None where Spark does not tell."""
    end = read_offsets(folder, batch_id)
    try:
        start = (
            read_offsets(folder, batch_id - 1)
            if batch_id
            else _start(folder / "sources" / "0" / "0")
        )
    except _UNREADABLE:
        return None
    if start is None or end is None:
        return None
    # A partition that was not there before began with its first record.
    return [
        Flood(number, start.get(number, 0), last - 1)
        for number, last in sorted(end.items())
        if last > start.get(number, 0)
    ]


def _start(file: Path) -> Mapping[int, int]:
    try:
        _, start = _offsets(file)
    except FileNotFoundError:
        return {}
    return start


def _offsets(file: Path) -> tuple[str | None, Mapping[int, int]]:
    # A version, in `offsets` what Spark needs to know, and the offsets: {"iotmsgs": {"0": 48, …}}.
    found = json.loads(file.read_text(encoding="utf-8").splitlines()[-1])
    if not isinstance(found, dict) or not found:
        return None, {}
    topic, partitions = next(iter(found.items()))
    return topic, {int(number): offset for number, offset in partitions.items()}


def last_number(folder: Path) -> int | None:
    """The highest batch of which a folder of the checkpoint has a file; None without any."""
    batches = [int(entry.name) for entry in folder.glob("*") if entry.name.isdecimal()]
    return max(batches, default=None)
