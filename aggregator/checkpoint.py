"""What Spark's checkpoint folder says about itself, read before Spark starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aggregator.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint folder says about itself.

    Attributes:
        query_id: None where no query has used it yet.
        committed: the last batch that Spark committed; None before the first.
        topic: the topic in which its offsets are; None before the first batch.
    """

    query_id: str | None = None
    committed: int | None = None
    topic: str | None = None

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
        query_id = json.loads((folder / "metadata").read_text(encoding="utf-8"))["id"]
        return Checkpoint(
            query_id=query_id, committed=_last(folder / "commits"), topic=_topic(folder)
        )
    except FileNotFoundError:
        return Checkpoint()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"the checkpoint {folder} cannot be read: {error}") from error


def read_offsets(folder: Path, batch_id: int) -> dict[int, int] | None:
    """How far a batch goes, by partition of its topic; None where Spark does not tell (yet)."""
    try:
        offsets = _offsets(folder, batch_id)
        (places,) = offsets.values()
        return {int(partition): int(offset) for partition, offset in places.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _topic(folder: Path) -> str | None:
    last = _last(folder / "offsets")
    if last is None:
        return None
    offsets = _offsets(folder, last)
    return next(iter(offsets), None) if isinstance(offsets, dict) else None


def _offsets(folder: Path, batch_id: int) -> Any:
    text = (folder / "offsets" / str(batch_id)).read_text(encoding="utf-8")
    # A version, what Spark needs to know, and the offsets: {"iotmsgs": {"0": 48, …}}.
    return json.loads(text.splitlines()[-1])


def _last(folder: Path) -> int | None:
    batches = [int(entry.name) for entry in folder.glob("*") if entry.name.isdigit()]
    return max(batches, default=None)
