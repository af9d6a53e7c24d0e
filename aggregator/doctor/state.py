"""Checkpoint and ledger: do they agree, and does a job have them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.errors import CheckpointError, LedgerError
from aggregator.kafka.checkpoint import Checkpoint, read_checkpoint
from aggregator.kafka.checkpoint_repair import torn
from aggregator.ledger import compatibility as refusals
from aggregator.ledger.compatibility import require_fit
from aggregator.ledger.report import opened, problems, status
from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.settings import AggregatorSettings
    from isotherm.doctor.finding import Finding


class State:
    """What lies on this machine of a job; after `check`, what its checkpoint says.

    Args:
        settings: of the job.

    Attributes:
        checkpoint: empty where it is new, remote or cannot be read.
    """

    def __init__(self, settings: AggregatorSettings) -> None:
        self._settings = settings
        self.checkpoint = Checkpoint()

    def check(self) -> Iterator[Finding]:
        """Read both."""
        settings, folder = self._settings, self._settings.checkpoint_folder
        if folder is None:
            yield warn(
                "checkpoint",
                f"{settings.checkpoint} lies in a remote store: whether it fits the ledger and the "
                "topic is not looked at, and a snapshot has no lag; a local folder is faster",
            )
        else:
            try:
                if (empty := torn(folder)) is not None:
                    yield warn(
                        "checkpoint",
                        f"{empty} is empty, as after a power cut; the job mends it when it starts, "
                        "or says why it cannot",
                    )
                    return
                self.checkpoint = read_checkpoint(folder)
                self.checkpoint.require_topic(settings.topic)
            except CheckpointError as error:
                yield fail("checkpoint", str(error))
                return
            batch = self.checkpoint.committed
            said = "is new" if batch is None else f"has committed batch {batch}"
            yield ok("checkpoint", f"{folder} {said}")
        if settings.keeps_ledger:
            yield self._ledger(settings.ledger_file, known=folder is not None)

    def _ledger(self, path: Path, *, known: bool) -> Finding:
        checkpoint = self.checkpoint
        if not path.exists():
            if checkpoint.committed is not None:
                return fail("ledger", str(refusals.incomplete(path, 0, checkpoint.committed)))
            return ok("ledger", f"{path} will be made by the job")
        try:
            with opened(path) as connection:
                said = status(connection)
                if known:
                    require_fit(path, said["query"], said["batch"], checkpoint)
                found = problems(connection)
        except LedgerError as error:
            if refusals.IN_USE in str(error):
                return warn("ledger", f"{error}. Beside a running job nothing more can be seen")
            return fail("ledger", str(error))
        if found:
            return fail(
                "ledger",
                f"{path} is not well: {'; '.join(found)}; isotherm-aggregator ledger rebuild makes "
                "it anew from the topic",
            )
        return ok("ledger", f"{path} agrees with itself and with the checkpoint")
