"""The job from its start to its end."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aggregator.dead_letters.kafka_topic import KafkaBox
from aggregator.dead_letters.refetch import KafkaReader
from aggregator.dead_letters.set_aside import Aside
from aggregator.dead_letters.writer import DeadLetters
from aggregator.errors import CheckpointError
from aggregator.kafka.admin import AdminTopic
from aggregator.kafka.availability import Attendance, wait_for_topic
from aggregator.kafka.checkpoint import Checkpoint, read_checkpoint, read_offsets, read_ranges
from aggregator.kafka.checkpoint_repair import mend
from aggregator.kafka.lag import KafkaEnds, Lag
from aggregator.kafka.topic_identity import Standing
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import opened, status
from aggregator.ledger.sensors import as_json
from aggregator.monitoring.counters import Observed
from aggregator.monitoring.metrics import METRICS, PREFIX
from aggregator.monitoring.progress import ProgressListener
from aggregator.monitoring.view import View, missing, notes
from aggregator.sinks.base import SinkContext
from aggregator.sinks.best_effort import BestEffortSink
from aggregator.sinks.factory import holds_files, make_sinks
from aggregator.stream.query import Run
from aggregator.stream.restarts import Restarts
from aggregator.stream.session import jvm, spark_session
from aggregator.stream.shutdown import Gate, heed_signals
from aggregator.stream.source import adding
from aggregator.stream.trigger import Triggers
from aggregator.stream.workers.partial_sums import Punctuality
from isotherm.contract.states import STATES
from isotherm.errors import IsothermError
from isotherm.files import keep_from_others
from isotherm.http.endpoint import Endpoint, json_page, verdict
from isotherm.http.endpoint import metrics as page
from isotherm.http.registry import Metrics, Table
from isotherm.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.analytics.approximate import Approximate
    from aggregator.settings import AggregatorSettings
    from isotherm.http.endpoint import Page
    from isotherm.log import Log


def run(settings: AggregatorSettings, log: Log) -> None:
    """Count readings until the topic is drained (``available_now``) or a signal comes.

    Where Kafka stays away for longer than its client waits, the query is started again from its
    checkpoint once Kafka is back.

    Raises:
        IsothermError: the job cannot go on.
    """
    folder = settings.checkpoint_folder
    checkpoint = _prepared(settings, log)
    observed = Observed()
    tasks = Tasks(log)
    gate = Gate()
    view = View(observed=observed, trigger=settings.trigger, tasks=tasks)
    with ExitStack() as stack:
        if settings.metrics is not None:
            stack.enter_context(
                Endpoint(settings.metrics, pages(view), log=log, hosts=settings.metrics_hosts)
            )
        context = SinkContext(
            access=settings.access, stdout=sys.stdout, log=log, hangups=lambda: gate.hangups
        )
        made = make_sinks(settings.sinks, context, stack, tasks)
        sinks = [*made, observed]
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
        heed_signals(spark, gate, _hangup(settings, gate, log))
        spark.streams.addListener(ProgressListener(observed))
        admin = AdminTopic(jvm(spark), settings.access, settings.topic)
        view.attendance = attendance = Attendance(
            admin.look,
            brokers=settings.kafka,
            topic=settings.topic,
            log=log,
        )
        view.letters = letters = _letters(settings, gate, log, stack)
        view.aside = aside = _aside(settings, letters, gate, log)
        view.lag = lag = stack.enter_context(Lag(KafkaEnds(settings.access, settings.topic), tasks))
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
            except IsothermError as error:
                restarts.after(error, triggers.batches)
                observed.restarts = restarts.count
            else:
                return


def _prepared(settings: AggregatorSettings, log: Log) -> Checkpoint:
    """The checkpoint, mended where it has to be, in a folder that other users do not see into."""
    keep_from_others()
    folder = settings.checkpoint_folder
    if folder is None:
        return Checkpoint()
    mend(folder, lambda: _counted(settings), log)
    checkpoint = read_checkpoint(folder)
    checkpoint.require_topic(settings.topic)
    try:
        # Java, whose umask may be another, makes what is in it.
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"--checkpoint {folder} cannot be made: {error.strerror}; name another folder"
        ) from error
    return checkpoint


def _hangup(settings: AggregatorSettings, gate: Gate, log: Log) -> Callable[[], None]:
    """What SIGHUP does: files are opened again, as logrotate wants; without any the job ends."""

    def again() -> None:
        gate.hangups += 1
        log.info("SIGHUP: the files of snapshots are opened again at the next trigger")

    return again if holds_files(settings.sinks) else gate.stop.set


def _counted(settings: AggregatorSettings) -> int | None:
    """The last batch of the ledger; -1 before the first; None where none is kept."""
    if not settings.keeps_ledger:
        return None
    if not settings.ledger_file.exists():
        return -1
    with opened(settings.ledger_file) as connection:
        batch: int | None = status(connection)["batch"]
    return -1 if batch is None else batch


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
    exported = Metrics(Table(PREFIX, METRICS, lambda: view))
    return {
        "/metrics": lambda: page(exported.text()),
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


def _letters(
    settings: AggregatorSettings, gate: Gate, log: Log, stack: ExitStack
) -> DeadLetters | None:
    topic = settings.dead_letter_topic
    if topic is None:
        return None
    letters = DeadLetters(
        KafkaBox(settings.access, topic, settings.topic, gate.stop),
        KafkaReader(settings.access, settings.topic, gate.stop),
        topic=settings.topic,
        clock=time.time_ns,
        stop=gate.stop,
        log=log,
    )
    stack.callback(letters.close)
    return letters


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
        stop=gate.stop,
        log=log,
    )
