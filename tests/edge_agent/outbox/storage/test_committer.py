from __future__ import annotations

import io
import select
from typing import TYPE_CHECKING, NoReturn, cast

from edge_agent.outbox.storage.committer import Committer, Outcome
from edge_agent.outbox.storage.database import Batch, Database
from isotherm.log import start_logging
from isotherm.tasks import Tasks
from tests.support import await_true

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 10.0


class _Deadly:
    """A store that ends the thread that looks at it, as an interpreter that unwinds does."""

    def look(self, *, wrote: bool = False) -> NoReturn:
        raise SystemExit(wrote)


def _outcome(writer: Committer) -> Outcome:
    assert select.select([writer.fileno()], [], [], PATIENCE)[0]
    outcome = writer.poll(PATIENCE)
    assert outcome is not None
    return outcome


def test_a_writer_that_ends_gives_its_batch_back_and_is_started_again(tmp_path: Path) -> None:
    told = io.StringIO()
    tasks = Tasks(start_logging("agent", stream=told))
    writer = Committer(tasks)
    batch = Batch(facts={"a": 1})
    writer.start(cast("Database", _Deadly()), batch)
    outcome = _outcome(writer)
    assert outcome.batch is batch
    assert outcome.error is not None
    assert tasks.ends == 1
    store = Database(tmp_path / "outbox.db")
    writer.start(store, batch)
    assert _outcome(writer).error is None
    await_true(lambda: not tasks.faults(), "the task to count as running again")
    assert "task ended task=outbox-writer" in told.getvalue()
    writer.close()
    store.close()
