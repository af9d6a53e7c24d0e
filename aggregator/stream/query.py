"""The streaming query: start it, say when it is idle, end it well, say why it ended badly."""

from __future__ import annotations

import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import StreamingQueryException

from aggregator.errors import DataLossError, QueryError, StoppingError, WorkerError
from aggregator.kafka.availability import Presence
from aggregator.kafka.checkpoint_repair import keep
from aggregator.kafka.java import java_refusal
from aggregator.kafka.topic_identity import CHOICE
from aggregator.stream.heartbeat import Heartbeat
from aggregator.stream.session import silence, speak
from aggregator.stream.source import sensors
from isotherm.errors import IsothermError
from isotherm.kafka.errors import KafkaAccessError, KafkaUnavailableError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

    from aggregator.kafka.availability import Attendance
    from aggregator.kafka.topic_identity import Standing
    from aggregator.settings import AggregatorSettings
    from aggregator.stream.shutdown import Gate
    from aggregator.stream.trigger import Triggers
    from isotherm.log import Log

_LOOK: Final = 0.1
"""Seconds between two looks at the query."""

_SILENCE: Final = 3.0
"""Seconds within one trigger after which it is asked whether Kafka is there: Spark waits mutely."""

_COMPARE: Final = 10.0
"""Seconds between two looks whether somebody has deleted the topic and made it anew: Spark would
go on in the new one at the old offsets."""

_BATCH: Final = 5.0
"""Seconds in which a batch may end once the end was asked for; what takes longer is given up, and
replayed by the next start. With what follows it has to fit into the 10 s that people wait."""

_CANCEL: Final = 1.0
"""Seconds in which a batch that was given up may let go."""

_COMMIT: Final = 1.0
"""Seconds that Spark may take after our part of a batch, before it is stopped all the same."""


_NO_ACCESS: Final = re.compile(
    r"kafka\.common\.errors\."
    r"(?:SaslAuthentication|SslAuthentication|IllegalSaslState|UnsupportedSaslMechanism)"
)
"""What Kafka's own client says of TLS and passwords: the checkpoint's store may speak TLS too."""


_WORKER_GONE: Final = re.compile(
    r"Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure"
    r"|Executor heartbeat timed out"
)
_OF_WORKERS: Final = re.compile(r"org\.apache\.spark\.(?:api|sql\.execution)\.python\.")
_PIPE_GONE: Final = re.compile(
    r"Broken pipe|Connection reset|java\.io\.EOFException|ClosedChannelException"
)
"""What Spark says of a worker to which it was just writing."""


class Run:
    """One life of the query.

    Args:
        spark: the session.
        settings: the person's choice.
        triggers: takes the batches.
        gate: the way to the end.
        attendance: whether Kafka is there.
        standing: whether the topic is still the one that the checkpoint knows.
        log: where it is said that a batch was given up.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: AggregatorSettings,
        triggers: Triggers,
        *,
        gate: Gate,
        attendance: Attendance,
        standing: Standing,
        log: Log,
    ) -> None:
        self._spark = spark
        self._settings = settings
        self._triggers = triggers
        self._gate = gate
        self._attendance = attendance
        self._standing = standing
        self._log = log
        self._failure: Exception | None = None

    def run(self) -> None:
        """Run until the person stops it, or until the topic is drained (``available_now``).

        Raises:
            IsothermError: the query ended by itself; `retriable` where a restart may do.
        """
        writer = (
            sensors(self._spark, self._settings)
            .writeStream.foreachBatch(self._batch)
            .queryName("isotherm")
            .option("checkpointLocation", self._settings.checkpoint)
        )
        if self._settings.available_now:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(
                processingTime=f"{round(self._settings.trigger * 1000)} milliseconds"
            )
        # The life before this one may have ended in silence.
        speak(self._spark)
        query = writer.start()
        before = self._triggers.batches
        try:
            self._watch(query)
        except DataLossError:
            self._stop(query)
            raise
        except StreamingQueryException as error:
            if not self._gate.stop.is_set():
                raise self._reason(error) from error
        if self._settings.available_now and self._triggers.batches == before:
            self._triggers.idle(str(query.id))

    def _batch(self, frame: DataFrame, batch_id: int) -> None:
        query_id = self._spark.sparkContext.getLocalProperty("sql.streaming.queryId")
        assert query_id is not None
        try:
            with self._gate.batch():
                if (folder := self._settings.checkpoint_folder) is not None:
                    keep(folder, batch_id)
                self._triggers.batch(query_id, batch_id, frame.toArrow)
        except Exception as error:
            self._failure = error
            told = isinstance(error, IsothermError | StoppingError)
            if told or isinstance(reason(str(error), self._settings), WorkerError):
                silence(self._spark)
            raise

    def _watch(self, query: StreamingQuery) -> None:
        heartbeat = Heartbeat(self._settings.trigger, time.time())
        heard = time.monotonic()
        compare = heard + _COMPARE
        looked = False
        while query.isActive:
            if self._gate.stop.wait(_LOOK):
                self._stop(query)
                return
            if time.monotonic() > compare:
                self._standing.check({})
                compare = time.monotonic() + _COMPARE
            # Asked before the count: a batch that ends in between is seen by the count.
            busy = query.status["isTriggerActive"]
            # Before its first trigger Spark has not looked: a batch to replay may wait.
            looked = looked or query.lastProgress is not None
            idle = (
                looked
                and not self._settings.available_now
                and heartbeat.idle(time.time(), busy=busy, batches=self._triggers.batches)
            )
            if idle or time.monotonic() - heard > _SILENCE:
                idle = self._attendance.here() and idle
                heard = time.monotonic()
            elif not busy and self._attendance.missing is Presence.READY:
                heard = time.monotonic()
            if idle:
                self._triggers.idle(str(query.id))
        query.awaitTermination()

    def _stop(self, query: StreamingQuery) -> None:
        silence(self._spark)
        if not self._gate.wait_free(_BATCH):
            self._log.warning("the batch in hand is left to the next start", waited_s=_BATCH)
            self._spark.sparkContext.cancelAllJobs()
            self._gate.wait_free(_CANCEL)
        deadline = time.monotonic() + _COMMIT
        while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
            time.sleep(_LOOK)
        with suppress(Py4JJavaError):
            # It gives up where Kafka is away: its client waits for answers before it closes.
            query.stop()

    def _reason(self, error: StreamingQueryException) -> IsothermError:
        if isinstance(self._failure, IsothermError):
            return self._failure
        found = reason(str(error), self._settings)
        if isinstance(found, QueryError):
            # Spark's own log of it is hushed (`session`); who must find an unknown cause needs it.
            print(error, file=sys.stderr)
        return found


def reason(text: str, settings: AggregatorSettings) -> IsothermError:
    """Why Spark ended a query, for the person at 3 a.m.

    Args:
        text: Spark's message with its causes.
        settings: for the names in the sentence.
    """
    if "KAFKA_DATA_LOSS" in text or "failOnDataLoss" in text:
        return DataLossError(
            f"records of topic {settings.topic} that were not counted yet are gone from Kafka "
            f"(deleted by its retention, or the topic was made anew). {CHOICE}"
        )
    if _NO_ACCESS.search(text) and (refused := java_refusal(text.splitlines())):
        return KafkaAccessError(f"no access to Kafka at {settings.kafka}: {refused}")
    if "org.apache.kafka.common.errors.TimeoutException" in text:
        return KafkaUnavailableError(f"Kafka at {settings.kafka} no longer answers")
    if "UnknownTopicOrPartitionException" in text:
        # Also for a moment while a broker starts; if it was made anew, the next start says so.
        return KafkaUnavailableError(
            f"Kafka at {settings.kafka} no longer has topic {settings.topic}"
        )
    gone = _WORKER_GONE.search(text) or (_OF_WORKERS.search(text) and _PIPE_GONE.search(text))
    if gone:
        return WorkerError(
            f"a process that worked for Spark is gone ({gone[0]}), as where the system kills one "
            "for its memory (dmesg tells); its batch is counted again. If it comes again and "
            "again, give the machine more memory, or the job a lower --max-offsets"
        )
    return QueryError(f"Spark ended the query: {_cause(text)}")


def _cause(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes or lines or ["no reason given"])[-1 if causes else 0]
