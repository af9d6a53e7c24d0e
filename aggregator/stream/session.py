"""The Spark session: started quietly, checked, and equipped with what its workers need of ours."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from aggregator.errors import ConnectorError, JavaMissingError
from aggregator.stream.archive import write_archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from py4j.java_gateway import JVMView

_PY4J: Final = logging.getLogger("py4j")
_PROVIDER: Final = "org.apache.spark.sql.kafka010.KafkaSourceProvider"
_CONNECTOR: Final = "org.apache.spark:spark-sql-kafka-0-10_2.13"

SETTINGS: Final = {
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    # Adaptive execution would make the stages before a shuffle jobs of their own.
    "spark.sql.adaptive.enabled": "false",
    # Larger Arrow batches cost a worker fewer turns; 50,000 readings are about 12 MB.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    # But 50,000 records of a megabyte, which others may send, would fill the memory of both.
    "spark.sql.execution.arrow.maxBytesPerBatch": "64m",
    # Between Java and a worker TCP waits for an acknowledgement, 40 ms, before a short last piece.
    "spark.python.unix.domain.socket.enabled": "true",
    # By default Spark shows a client's key where it shows a plan; url is its own word.
    "spark.sql.redaction.options.regex": r"(?i)url|jaas|keystore",
    # What stopping a query may take while Kafka is away; by default for ever.
    "spark.sql.streaming.stopTimeout": "1s",
}

LOOPBACK: Final = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""Where driver and executors are one process, nobody else has to reach Spark's ports, which take
commands from whoever does."""

_TOLD_BY_US: Final = (
    "org.apache.spark.sql.execution.streaming",
    "org.apache.spark.executor.Executor",
    "org.apache.spark.scheduler.TaskSetManager",
    "org.apache.kafka.clients.NetworkClient",
)
"""Loggers of what reaches us as an exception too: why a query ends, and why a broker refuses us."""


def packages() -> str:
    """The Maven coordinates for ``--packages`` that fit the installed PySpark."""
    return f"{_CONNECTOR}:{pyspark.__version__}"


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """Start Spark, or take what spark-submit started; stop it at the end.

    Raises:
        JavaMissingError: Spark's Java could not be started.
        ConnectorError: the Kafka connector is missing or of another version.
    """
    builder = SparkSession.builder.appName("isotherm-aggregator")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    try:
        for key, value in _address().items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise JavaMissingError(
            "Spark cannot start Java: install Java 17 or newer (apt-get install "
            "openjdk-17-jre-headless), or set JAVA_HOME"
        ) from error
    try:
        _require_connector(jvm(spark))
        _hush(jvm(spark))
        # Workers fetch the archive when their first task comes, so it stays until the end.
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "isotherm-workers.zip"
            write_archive(archive)
            spark.sparkContext.addPyFile(str(archive))
            yield spark
    finally:
        spark.stop()


def _address() -> Mapping[str, str]:
    """Where the driver listens, unless a person says so; on a cluster that is Spark's choice."""
    SparkContext._ensure_initialized()  # noqa: SLF001 starts Java, which knows what was submitted
    given = SparkConf()
    # As Spark itself has it where nobody names a master.
    if not given.get("spark.master", "local").startswith("local"):
        return {}
    return {key: value for key, value in LOOPBACK.items() if not given.contains(key)}


def jvm(spark: SparkSession) -> JVMView:
    """Spark's Java side."""
    view = spark.sparkContext._jvm  # noqa: SLF001 the only way to the classes beside Spark's API
    assert view is not None
    return view


def silence(spark: SparkSession) -> None:
    """Python and Java would each print a stack trace about what we say in one sentence."""
    _PY4J.setLevel(logging.CRITICAL)
    spark.sparkContext.setLogLevel("OFF")


def speak(spark: SparkSession) -> None:
    """Take `silence` back."""
    _PY4J.setLevel(logging.NOTSET)
    spark.sparkContext.setLogLevel(SETTINGS["spark.log.level"])


def connector_problem(location: str | None, version: str) -> str | None:
    """What is wrong with the connector, as a sentence; None where it fits.

    Args:
        location: where the connector was loaded from; None where it was not found.
        version: PySpark's.
    """
    use = f"--packages {_CONNECTOR}:{version}"
    if location is None:
        return f"Spark has no Kafka connector: start the job with spark-submit {use}"
    found = re.search(r"spark-sql-kafka-0-10_([0-9.]+)-([^/]+)\.jar$", location)
    if found is None or (found[1], found[2]) == ("2.13", version):
        return None
    return (
        f"the Kafka connector is {found[2]} for Scala {found[1]}, but PySpark is {version}: "
        f"start the job with spark-submit {use}"
    )


def java_stderr() -> TextIO | None:
    """spark-submit's stderr, or None where Python was not started by it.

    spark-submit joins the stderr of its Python to stdout; only Java still has the real one.
    """
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    from pyspark import SparkContext  # noqa: PLC0415 connects to the Java of spark-submit

    SparkContext._ensure_initialized()  # noqa: SLF001 the same
    return cast("TextIO", _JavaStderr(SparkContext._jvm))  # noqa: SLF001 the same


class _JavaStderr:
    """As much of a text stream as logging, click and traceback use."""

    encoding = "utf-8"

    def __init__(self, view: Any) -> None:
        self._stderr = view.java.lang.System.err

    def write(self, text: str) -> int:
        try:
            self._stderr.print(text)
        except Exception:  # noqa: BLE001 py4j raises many kinds once Java is gone
            sys.__stderr__.write(text)  # type: ignore[union-attr]
        return len(text)

    def flush(self) -> None:
        """Java's stderr is not buffered."""

    def isatty(self) -> bool:
        return False


def _hush(view: JVMView) -> None:
    log4j = view.org.apache.logging.log4j
    for name in _TOLD_BY_US:
        log4j.core.config.Configurator.setLevel(name, log4j.Level.OFF)


def _require_connector(view: JVMView) -> None:
    try:
        # The jars of --packages are known to the thread's class loader only.
        loader = view.java.lang.Thread.currentThread().getContextClassLoader()
        source = loader.loadClass(_PROVIDER).getProtectionDomain().getCodeSource()
    except Exception as error:
        if "ClassNotFoundException" not in str(error):
            raise
        location = None
    else:
        location = source.getLocation().toString()
    problem = connector_problem(location, pyspark.__version__)
    if problem is not None:
        raise ConnectorError(problem)
