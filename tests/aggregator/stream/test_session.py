import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.stream.archive import write_archive
from aggregator.stream.session import connector_problem

JAR = "file:/x/org.apache.spark_spark-sql-kafka-0-10_{}.jar"


@pytest.mark.parametrize("location", (JAR.format("2.13-4.2.0"), "file:/x/everything.jar"))
def test_a_connector_that_fits_is_no_problem(location: str) -> None:
    assert connector_problem(location, "4.2.0") is None


@pytest.mark.parametrize(
    ("location", "sentence"),
    (
        (None, "Spark has no Kafka connector"),
        (JAR.format("2.13-4.1.0"), "is 4.1.0 for Scala 2.13, but PySpark is 4.2.0"),
        (JAR.format("2.12-3.5.1"), "is 3.5.1 for Scala 2.12, but PySpark is 4.2.0"),
    ),
)
def test_another_connector_is_one_sentence_with_the_line_that_mends_it(
    location: str | None, sentence: str
) -> None:
    problem = connector_problem(location, "4.2.0")
    assert problem is not None
    assert sentence in problem
    assert problem.endswith("--packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0")


def test_workers_can_judge_with_the_archive_alone(tmp_path: Path) -> None:
    archive = tmp_path / "workers.zip"
    write_archive(archive)
    script = (
        "import sys; import aggregator.stream.workers.partial_sums as p, isotherm; "
        "assert p.__file__.startswith(sys.argv[1]), p.__file__; "
        "assert isotherm.__file__.startswith(sys.argv[1]), isotherm.__file__"
    )
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {script}", archive],
        check=True,
        cwd=tmp_path,
    )
