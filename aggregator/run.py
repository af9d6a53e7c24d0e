"""The job from its first to its last breath."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aggregator.admin import AdminTopic
from aggregator.aside import Aside
from aggregator.best_effort import BestEffortSink
from aggregator.checkpoint import Checkpoint, read_checkpoint, read_offsets, read_ranges
from aggregator.dead_letters import DeadLetters
from aggregator.errors import AggregatorError
from aggregator.kafka import Attendance, wait_for_topic
from aggregator.kafka_box import KafkaBox
from aggregator.kafka_reader import KafkaReader
from aggregator.lag import KafkaEnds, Lag
from aggregator.ledger import Ledger
from aggregator.metrics import METRICS, PREFIX
from aggregator.observed import Observed
from aggregator.outputs import make_sinks
from aggregator.partials import Punctuality
from aggregator.progress import ProgressListener
from aggregator.query import Run
from aggregator.restarts import Restarts
from aggregator.sensors import as_json
from aggregator.session import jvm, spark_session
from aggregator.source import adding
from aggregator.standing import Standing
from aggregator.stopping import Gate, stop_on_signals
from aggregator.trigger import Triggers
from aggregator.view import View, missing, notes
from contract.endpoint import Endpoint, json_page, verdict
from contract.endpoint import metrics as page
from contract.exposition import exposition
from contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.beyond import Approximate
    from aggregator.settings import AggregatorSettings
    from contract.endpoint import Page
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
    observed = Observed()
    view = View(observed=observed, trigger=settings.trigger)
    with ExitStack() as stack:
        if settings.metrics is not None:
            stack.enter_context(
                Endpoint(settings.metrics, pages(view), log=log, hosts=settings.metrics_hosts)
            )
        sinks = [*make_sinks(settings, sys.stdout, log, stack), observed]
        view.sinks = [sink for sink in sinks if isinstance(sink, BestEffortSink)]
        ledger = None
        if settings.keeps_ledger:
            ledger = stack.enter_context(
                Ledger(settings.ledger_file, settings.sliding, capacity=settings.ledger_sensors)
            )
            view.capacity = settings.ledger_sensors
            warn_closed(ledger.approximate(), settings.ledger_sensors, log)
            view.ledger = settings.ledger_file
            if folder is not None:
                ledger.require(checkpoint)
        spark = stack.enter_context(spark_session())
        gate = Gate()
        stop_on_signals(spark, gate)
        spark.streams.addListener(ProgressListener(observed))
        admin = AdminTopic(jvm(spark), settings.access, settings.topic)
        view.attendance = attendance = Attendance(
            admin.look,
            brokers=settings.kafka,
            topic=settings.topic,
            log=log,
        )
        view.letters = letters = _letters(settings, gate, log)
        if letters is not None:
            stack.callback(letters.close)
        view.aside = aside = _aside(settings, letters, gate, log)
        view.lag = lag = stack.enter_context(Lag(KafkaEnds(settings.access, settings.topic)))
        if folder is not None and checkpoint.committed is not None:
            lag.counted(read_offsets(folder, checkpoint.committed))
        standing = Standing(
            admin.survey,
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
            letters=letters,
            aside=aside,
            lag=lambda batch: lag.counted(None if folder is None else read_offsets(folder, batch)),
            full=lambda _: warn_full(settings.ledger_sensors, log),
        )
        if ledger is not None:
            view.sensors = ledger.sensors(triggers.silent_before)
        patience = settings.kafka_wait if settings.available_now else None
        restarts = Restarts(log, patience=patience, stop=gate.stop)
        while wait_for_topic(attendance, patience=patience, stop=gate.stop):
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
                restarts.after(error, triggers.batches)
                observed.restarts = restarts.count
            else:
                return


def warn_full(capacity: int, log: Log) -> None:
    """Say that from now on distinct sensors are an estimate."""
    log.warning(
        "the ledger is full: sensors that come new are counted together, their number is an "
        "estimate, and their duplicates count; snapshots say approximate",
        ledger_sensors=capacity,
        exact_again="isotherm-aggregator ledger rebuild with a higher --ledger-sensors",
    )


def warn_closed(approximate: Approximate | None, capacity: int, log: Log) -> None:
    """Say it where the higher capacity changes nothing."""
    if approximate is not None and approximate.ledger_sensors < capacity:
        log.warning(
            "the ledger was full before: sensors that come new get no rows in it, whatever "
            "--ledger-sensors is now; isotherm-aggregator ledger rebuild makes one that has them",
            sensors=approximate.ledger_sensors,
            ledger_sensors=capacity,
        )


def pages(view: View) -> dict[str, Callable[[], Page]]:
    """What the job answers over HTTP, by path."""
    return {
        "/metrics": lambda: page(exposition(PREFIX, METRICS, view)),
        # It ends by itself where it cannot go on.
        "/healthz": lambda: _health(view),
        "/readyz": lambda: verdict(missing(view)),
        **{f"/sensors/{state}": partial(_sensors, view, state) for state in STATES},
    }


def _health(view: View) -> Page:
    well = verdict([])
    return well._replace(body=well.body + "".join(f"{note}\n" for note in notes(view)))


def _sensors(view: View, state: str) -> Page:
    if view.sensors is None:
        return verdict(
            ["there is no ledger: give the job --scope both, or wait until it has begun"]
        )
    return json_page(as_json(view.sensors.of_state(state)))


def _letters(settings: AggregatorSettings, gate: Gate, log: Log) -> DeadLetters | None:
    topic = settings.dead_letter_topic
    if topic is None:
        return None
    return DeadLetters(
        KafkaBox(settings.access, topic, settings.topic, gate.stop),
        KafkaReader(settings.access, settings.topic, gate.stop),
        topic=settings.topic,
        clock=time.time_ns,
        stop=gate.stop,
        log=log,
    )


def _aside(
    settings: AggregatorSettings, letters: DeadLetters | None, gate: Gate, log: Log
) -> Aside | None:
    folder = settings.checkpoint_folder
    if folder is None:
        # Spark does not tell us then which records a batch has.
        return None
    sums, schema = adding(settings, Punctuality(late=settings.late, future=settings.future))

    def summed(values: Sequence[bytes | None]) -> Any:
        batch = pa.RecordBatch.from_pydict({"value": pa.array(values, pa.binary())})
        return pa.Table.from_batches(list(sums([batch])), schema)

    return Aside(
        ranges=lambda batch: read_ranges(folder, batch),
        reader=KafkaReader(settings.access, settings.topic, gate.stop),
        sums=summed,
        letters=letters,
        log=log,
    )
