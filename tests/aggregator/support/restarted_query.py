"""Two lives of the query in one process, each ended by its first batch; prints what Spark shows.

    spark-submit --packages … tests/aggregator/support/restarted_query.py CONFIG CHECKPOINT

A JSON object comes last: `levels`, how loud Spark's log is in each life; `plan`, what Spark shows
of the query.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

sys.path[0] = str(Path(__file__).resolve().parents[3])

from aggregator.kafka.availability import Attendance, Presence  # noqa: E402 has no path to us
from aggregator.kafka.topic_identity import Standing  # noqa: E402 the same
from aggregator.settings import PREFIX, AggregatorSettings  # noqa: E402 the same
from aggregator.stream.query import Run  # noqa: E402 the same
from aggregator.stream.session import jvm, spark_session  # noqa: E402 the same
from aggregator.stream.shutdown import Gate  # noqa: E402 the same
from aggregator.stream.source import sensors  # noqa: E402 the same
from isotherm.kafka.errors import KafkaUnavailableError  # noqa: E402 a file that spark-submit runs
from isotherm.log import Log  # noqa: E402 the same
from isotherm.settings.table import load, read_file  # noqa: E402 the same

if TYPE_CHECKING:
    from aggregator.stream.trigger import Triggers


class Failing:
    """In place of `Triggers`: each batch notes how loud Spark's log is, and fails.

    Args:
        view: Spark's Java side.
    """

    batches = 0

    def __init__(self, view: Any) -> None:
        self._logs = view.org.apache.logging.log4j.LogManager
        self.levels: list[str] = []

    def batch(self, *_: object) -> None:
        """See `Triggers.batch`."""
        self.levels.append(self._logs.getRootLogger().getLevel().toString())
        raise KafkaUnavailableError("gone for a moment")


def main(config: str, checkpoint: str) -> None:
    """Do so."""
    file = read_file(Path(config))
    settings = load(
        AggregatorSettings, PREFIX, file=file, environ=os.environ, flags={"checkpoint": checkpoint}
    )
    log = Log("test")
    with spark_session() as spark:
        failing = Failing(jvm(spark))
        run = Run(
            spark,
            settings,
            cast("Triggers", failing),
            gate=Gate(),
            attendance=Attendance(lambda: Presence.READY, brokers="", topic="", log=log),
            standing=Standing(lambda: None, topic="", folder=None, accept_loss=False, log=log),
            log=log,
        )
        for _ in range(2):
            with suppress(KafkaUnavailableError):
                run.run()
        with redirect_stdout(io.StringIO()) as plan:
            sensors(spark, settings).explain(extended=True)
    print(json.dumps({"levels": failing.levels, "plan": plan.getvalue()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
