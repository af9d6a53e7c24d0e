"""The job from its first to its last breath."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.checkpoint import Checkpoint, read_checkpoint
from aggregator.errors import AggregatorError
from aggregator.kafka import AdminLook, AdminSurvey, Attendance, wait_for_topic
from aggregator.ledger import Ledger
from aggregator.query import Run
from aggregator.session import jvm, spark_session
from aggregator.settings import SINCE_START
from aggregator.sinks import ConsoleSink, JsonLinesSink
from aggregator.standing import Standing
from aggregator.stopping import Gate, stop_on_signals
from aggregator.trigger import Triggers

if TYPE_CHECKING:
    from aggregator.settings import AggregatorSettings
    from aggregator.sinks import Sink
    from contract.log import Log


def run(settings: AggregatorSettings, log: Log) -> None:
    """Count readings until the topic is drained (``available_now``) or a signal comes.

    Where Kafka stays away for longer than its client waits, the query is started again from its
    checkpoint once Kafka is back.

    Raises:
        AggregatorError: the job cannot go on.
    """
    folder = settings.checkpoint_folder
    checkpoint = Checkpoint() if folder is None else read_checkpoint(folder)
    checkpoint.require_topic(settings.topic)
    with ExitStack() as stack:
        sinks: list[Sink] = [ConsoleSink(sys.stdout)]
        if settings.snapshots is not None:
            sinks.append(JsonLinesSink(Path(settings.snapshots)))
        for sink in sinks:
            stack.callback(sink.close)
        ledger = None
        if SINCE_START in settings.scopes:
            ledger = stack.enter_context(Ledger(settings.ledger_file))
            if folder is not None:
                ledger.require(checkpoint)
        spark = stack.enter_context(spark_session())
        gate = Gate()
        stop_on_signals(spark, gate)
        attendance = Attendance(
            AdminLook(jvm(spark), settings.kafka, settings.topic),
            brokers=settings.kafka,
            topic=settings.topic,
            log=log,
        )
        standing = Standing(
            AdminSurvey(jvm(spark), settings.kafka, settings.topic),
            topic=settings.topic,
            folder=folder,
            accept_loss=settings.accept_loss,
            log=log,
        )
        triggers = Triggers(
            scopes=settings.scopes,
            ledger=ledger,
            sinks=sinks,
            clock=time.time_ns,
            offline_after=settings.offline_after,
        )
        while wait_for_topic(
            attendance,
            patience=settings.kafka_wait if settings.available_now else None,
            stop=gate.stop,
        ):
            standing.check({} if folder is None else read_checkpoint(folder).position)
            try:
                Run(
                    spark,
                    settings,
                    triggers,
                    gate=gate,
                    attendance=attendance,
                    standing=standing,
                    log=log,
                ).run()
            except AggregatorError as error:
                if not error.retriable:
                    raise
                log.warning("the query starts again", reason=str(error))
            else:
                return
