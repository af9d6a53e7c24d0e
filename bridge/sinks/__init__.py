"""The Kafka sinks: one module for each client."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from bridge.errors import MissingClientError
from bridge.notes import Notebook, note_of

if TYPE_CHECKING:
    import threading

    from bridge.settings import BridgeSettings
    from bridge.sink import Sink
    from isotherm.log import Availability


def make_sink(
    settings: BridgeSettings,
    kafka: Availability,
    stopping: threading.Event,
    notebook: Notebook | None = None,
) -> Sink:
    """The sink that the settings choose; `auto` is librdkafka where its wheel is installed.

    Raises:
        MissingClientError: the chosen client is not installed.
    """
    notebook = notebook or Notebook(note_of(settings))
    exactly_once = settings.delivery == "exactly-once"
    installed = importlib.util.find_spec("confluent_kafka") is not None
    if settings.kafka_client == "librdkafka" and not installed:
        raise MissingClientError(
            "kafka.client = 'librdkafka', but confluent-kafka is not installed: "
            "pip install confluent-kafka, or choose kafka-python"
        )
    if settings.kafka_client != "kafka-python" and installed:
        from bridge.sinks import librdkafka, rd_transactions  # noqa: PLC0415 an optional wheel

        if exactly_once:
            return rd_transactions.TransactionalLibrdkafkaSink(settings, kafka, stopping, notebook)
        return librdkafka.LibrdkafkaSink(settings, kafka, stopping)
    if importlib.util.find_spec("kafka") is None:
        raise MissingClientError(
            "no Kafka client is installed: pip install 'isotherm[bridge]', which brings both"
        )
    from bridge.sinks import kafka_python, kp_transactions  # noqa: PLC0415 only where it is chosen

    if exactly_once:
        return kp_transactions.TransactionalKafkaPythonSink(settings, kafka, stopping, notebook)
    return kafka_python.KafkaPythonSink(settings, kafka, stopping)
