"""Whether a ledger and a checkpoint belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.ledger import compatibility as refusals

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.kafka.checkpoint import Checkpoint


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
        raise refusals.foreign(path, query_id, checkpoint.query_id)
    behind = -1 if batch_id is None else batch_id
    if behind > checkpoint.begun:
        raise refusals.ahead(path, behind)
    if checkpoint.committed is not None and checkpoint.committed > behind:
        raise refusals.incomplete(path, behind + 1, checkpoint.committed)
