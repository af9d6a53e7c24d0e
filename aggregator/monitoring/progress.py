"""What Spark says of each trigger once it is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql.streaming.listener import StreamingQueryListener

if TYPE_CHECKING:
    from aggregator.monitoring.counters import Observed


class ProgressListener(StreamingQueryListener):
    """Notes it; Spark calls it in a thread of its own.

    Args:
        observed: where it is noted.
    """

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 Spark's name
        """The query runs."""

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802 Spark's name
        """A trigger with records is done."""
        progress = event.progress
        self._observed.records += max(progress.numInputRows, 0)
        self._observed.spark_s = progress.durationMs.get("triggerExecution", 0) / 1000

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802 Spark's name
        """A trigger without records."""

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802 Spark's name
        """The query has ended."""
