"""Whether a ledger can be used, and where it cannot, why and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aggregator.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.kafka.checkpoint import Checkpoint

IN_USE: Final = "is open in another process"

_REBUILD: Final = (
    "make the ledger anew from the topic with isotherm-aggregator ledger rebuild, or move it away "
    "and begin with a new --checkpoint"
)


def cannot_open(path: Path, error: Exception) -> LedgerError:
    """The file cannot be opened: by whom it is held, where that is why."""
    if "Could not set lock" in str(error):
        holder = re.search(r"\(PID \d+\)", str(error))
        who = f" {holder[0]}" if holder else ""
        return LedgerError(
            f"the ledger {path} {IN_USE}{who}, and one process has it at a time: "
            "stop that job first, or give this one a --checkpoint of its own"
        )
    return LedgerError(f"the ledger {path} cannot be opened: {error}; if it is damaged, {_REBUILD}")


def older(path: Path, found: str, schema: str) -> LedgerError:
    """It was written by another version."""
    return LedgerError(f"the ledger {path} is {found}, and this version keeps {schema}: {_REBUILD}")


def foreign(path: Path, owner: str, query_id: str | None) -> LedgerError:
    """It belongs to another query than the checkpoint."""
    return LedgerError(
        f"the ledger {path} belongs to query {owner}, and the checkpoint to "
        f"{query_id or 'a new query'}: give the checkpoint that the ledger belongs to, "
        f"or {_REBUILD}"
    )


def incomplete(path: Path, first: int, last: int) -> LedgerError:
    """It lacks batches; all of them where the checkpoint has lost its ledger."""
    return LedgerError(
        f"the ledger {path} lacks batches {first} to {last}, which the checkpoint has already "
        f"counted: bring that ledger back, or {_REBUILD}"
    )


def ahead(path: Path, batch_id: int) -> LedgerError:
    """It has batches that the checkpoint does not know: an older copy of the checkpoint."""
    return LedgerError(
        f"the ledger {path} has counted batch {batch_id}, which the checkpoint has not begun, as "
        "where an older copy of the checkpoint was put back: bring back the newer one, "
        f"or {_REBUILD}"
    )


def require_fit(
    path: Path, query_id: str | None, batch_id: int | None, checkpoint: Checkpoint
) -> None:
    """Refuse a checkpoint that a ledger does not fit.

    Args:
        path: of the ledger, for the sentence.
        query_id: whose it is; None where it is empty.
        batch_id: the last that it holds; None where it is empty.
        checkpoint: of the job.

    Raises:
        LedgerError: says what to do.
    """
    if query_id is not None and query_id != checkpoint.query_id:
        raise foreign(path, query_id, checkpoint.query_id)
    behind = -1 if batch_id is None else batch_id
    if behind > checkpoint.begun:
        raise ahead(path, behind)
    if checkpoint.committed is not None and checkpoint.committed > behind:
        raise incomplete(path, behind + 1, checkpoint.committed)
