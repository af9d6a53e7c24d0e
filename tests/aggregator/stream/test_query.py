import pytest

from aggregator.errors import DataLossError, QueryError, WorkerError
from aggregator.settings import PREFIX, AggregatorSettings
from aggregator.stream.query import reason
from isotherm.errors import IsothermError
from isotherm.kafka.errors import KafkaAccessError, KafkaUnavailableError
from isotherm.settings.table import load

SETTINGS = load(AggregatorSettings, PREFIX, flags={"kafka": "k:1", "topic": "t", "checkpoint": "c"})


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    (
        (
            "[STREAM_FAILED] Query …\nCaused by: [KAFKA_DATA_LOSS.ALREADY_PROCESSED] …",
            DataLossError,
            "records of topic t that were not counted yet are gone",
        ),
        (
            "[STREAM_FAILED] Query …\nCaused by: [KAFKA_DATA_LOSS.ALREADY_PROCESSED] …",
            DataLossError,
            "--accept-loss goes on with what is there and keeps the totals",
        ),
        (
            (
                "[STREAM_FAILED] Query …\nCaused by: "
                "org.apache.kafka.common.errors.SslAuthenticationException: SSL handshake failed\n"
                "Caused by: a.b.SSLHandshakeException: PKIX path building failed: a.b.C: no\n"
                "\tat x"
            ),
            KafkaAccessError,
            (
                "no access to Kafka at k:1: its certificate is not signed by an authority in "
                "kafka.ca_file: SSLHandshakeException: PKIX path building failed: C: no"
            ),
        ),
        (
            "[STREAM_FAILED] …\nCaused by: a.S3: PKIX path building failed",
            QueryError,
            "Spark ended the query: Caused by: a.S3: PKIX path building failed",
        ),
        (
            "[STREAM_FAILED] …\norg.apache.kafka.common.errors.TimeoutException: Timed out",
            KafkaUnavailableError,
            "Kafka at k:1 no longer answers",
        ),
        (
            "[STREAM_FAILED] … org.apache.kafka.common.errors.UnknownTopicOrPartitionException: …",
            KafkaUnavailableError,
            "Kafka at k:1 no longer has topic t",
        ),
        (
            "[STREAM_FAILED] …\n\tat x\nCaused by: a.B: one\nCaused by: c.D: disk full\n\tat y",
            QueryError,
            "Spark ended the query: Caused by: c.D: disk full",
        ),
        (
            "[STREAM_FAILED]\nCaused by: a.B: Python worker exited unexpectedly (crashed)\n\tat x",
            WorkerError,
            "a process that worked for Spark is gone (Python worker exited unexpectedly)",
        ),
        (
            "a.B: Broken pipe\n\tat org.apache.spark.api.python.BasePythonRunner$Writer.run(x)",
            WorkerError,
            "a process that worked for Spark is gone (Broken pipe)",
        ),
        ("[STREAM_FAILED] alone", QueryError, "Spark ended the query: .STREAM_FAILED. alone"),
        ("", QueryError, "no reason given"),
    ),
)
def test_the_reason_is_a_sentence(text: str, kind: type[IsothermError], sentence: str) -> None:
    found = reason(text, SETTINGS)
    assert type(found) is kind
    assert sentence.replace(".STREAM_FAILED.", "[STREAM_FAILED]") in str(found)
    assert found.retriable is issubclass(kind, KafkaUnavailableError | WorkerError)
