"""Makes the Kafka sink that the settings choose."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from bridge.errors import MissingClientError
from bridge.kafka.session_notes import Notebook, note_of

if TYPE_CHECKING:
    import threading

    from bridge.kafka.sink import Sink
    from bridge.settings import BridgeSettings
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
    installed = importlib.util.find_spec("confluent_kafka") is not None
    if settings.kafka_client == "librdkafka" and not installed:
        raise MissingClientError(
            "kafka.client = 'librdkafka', but confluent-kafka is not installed: "
            "pip install confluent-kafka, or choose kafka-python"
        )
    if settings.kafka_client != "kafka-python" and installed:
        if settings.exactly_once:
            from bridge.kafka.librdkafka import exactly_once  # noqa: PLC0415 an optional wheel

            return exactly_once.TransactionalLibrdkafkaSink(settings, kafka, stopping, notebook)
        from bridge.kafka.librdkafka import at_least_once  # noqa: PLC0415 the same

        return at_least_once.LibrdkafkaSink(settings, kafka, stopping)
    if importlib.util.find_spec("kafka") is None:
        raise MissingClientError(
            "no Kafka client is installed: pip install 'isotherm[bridge]', which brings both"
        )
    if settings.exactly_once:
        from bridge.kafka.kafka_python import exactly_once as kp  # noqa: PLC0415 where it is chosen

        return kp.TransactionalKafkaPythonSink(settings, kafka, stopping, notebook)
    from bridge.kafka.kafka_python import at_least_once as kp_once  # noqa: PLC0415 the same

    return kp_once.KafkaPythonSink(settings, kafka, stopping)
