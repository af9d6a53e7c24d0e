"""Why a ledger is refused, in sentences that say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aggregator.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

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
