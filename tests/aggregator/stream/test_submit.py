import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyspark
import pytest
from click.testing import CliRunner

import aggregator
from aggregator.cli.commands import group
from aggregator.errors import JavaMissingError
from aggregator.stream.submit import require_java, spark_submit
from isotherm.errors import SettingsError

FOLDER = Path(aggregator.__file__).parent
HOME = Path(pyspark.__file__).parent


def test_the_line_names_the_installed_parts() -> None:
    line = spark_submit(["--kafka", "k:1"], environ={}, master="local[2]")
    assert line.command == (
        str(HOME / "bin" / "spark-submit"),
        *("--master", "local[2]"),
        *("--conf", "spark.ui.enabled=false"),
        *("--conf", "spark.driver.host=127.0.0.1"),
        *("--conf", "spark.driver.bindAddress=127.0.0.1"),
        *("--packages", f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}"),
        str(FOLDER / "job.py"),
        *("--kafka", "k:1"),
    )
    assert line.environment["SPARK_HOME"] == str(HOME)
    assert line.environment["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert line.environment["PYSPARK_PYTHON"] == sys.executable


def test_the_workers_may_have_their_python_elsewhere() -> None:
    line = spark_submit([], environ={"PYSPARK_PYTHON": "/opt/isotherm/bin/python"})
    assert line.environment["PYSPARK_DRIVER_PYTHON"] == sys.executable
    assert line.environment["PYSPARK_PYTHON"] == "/opt/isotherm/bin/python"


def test_properties_of_spark_come_before_the_job() -> None:
    line = spark_submit([], environ={}, conf=["spark.executor.memory=2g", "spark.cores.max=4"])
    # Of two alike Spark takes the last: the person's.
    assert line.command[1:11] == (
        *("--conf", "spark.ui.enabled=false"),
        *("--conf", "spark.driver.host=127.0.0.1"),
        *("--conf", "spark.driver.bindAddress=127.0.0.1"),
        *("--conf", "spark.executor.memory=2g"),
        *("--conf", "spark.cores.max=4"),
    )


@pytest.mark.parametrize(
    ("master", "conf", "environ", "defaults"),
    (
        (None, [], {}, ""),
        (None, [], {}, "spark.executor.memory 1g\n# spark.master spark://h:7077"),
        ("local", [], {}, "spark.master spark://h:7077"),
        (None, ["spark.master=local[4]"], {}, ""),
    ),
)
def test_a_job_in_one_process_is_for_this_machine_alone(
    tmp_path: Path, master: str | None, conf: list[str], environ: dict[str, str], defaults: str
) -> None:
    (tmp_path / "spark-defaults.conf").write_text(defaults)
    line = spark_submit(
        [], environ={"SPARK_CONF_DIR": str(tmp_path), **environ}, master=master, conf=conf
    )
    assert "spark.driver.bindAddress=127.0.0.1" in line.command
    assert line.environment["SPARK_LOCAL_IP"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("master", "conf", "environ", "defaults"),
    (
        ("spark://h:7077", [], {}, ""),
        (None, ["spark.master = yarn"], {}, ""),
        (None, [], {"MASTER": "spark://h:7077"}, ""),
        (None, [], {}, "spark.master   spark://h:7077"),
    ),
)
def test_a_driver_of_a_cluster_can_be_reached(
    tmp_path: Path, master: str | None, conf: list[str], environ: dict[str, str], defaults: str
) -> None:
    (tmp_path / "spark-defaults.conf").write_text(defaults)
    line = spark_submit(
        [], environ={"SPARK_CONF_DIR": str(tmp_path), **environ}, master=master, conf=conf
    )
    assert not [word for word in line.command if "127.0.0.1" in word]
    assert "SPARK_LOCAL_IP" not in line.environment


def test_a_driver_that_would_run_elsewhere_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"leave spark.submit.deployMode at client"):
        spark_submit([], environ={}, conf=["spark.submit.deployMode=cluster"])


def test_java_options_of_the_person_are_kept() -> None:
    line = spark_submit([], environ={"SPARK_SUBMIT_OPTS": "-Xmx1g"})
    ours, theirs = line.environment["SPARK_SUBMIT_OPTS"].split()
    assert theirs == "-Xmx1g"
    # Where it is not, Spark's own words would fill the console, and nothing would fail.
    assert Path(unquote(urlsplit(ours.partition("=")[2]).path)).is_file()


def test_print_shows_the_line_with_the_flags_of_the_job() -> None:
    flags = ["--kafka", "k:1", "--checkpoint", "c d", "--trigger", "3 seconds", "--available-now"]
    done = CliRunner().invoke(group, ["submit", "--print", *flags])
    assert done.exit_code == 0
    assert done.output.startswith(f"SPARK_HOME={HOME} PYSPARK_DRIVER_PYTHON={sys.executable} ")
    assert done.output.endswith(
        "job.py --kafka k:1 --checkpoint 'c d' --trigger '3 seconds' --available-now\n"
    )


@pytest.mark.parametrize(
    ("version", "sentence"),
    (('openjdk version "11.0.2"', "is 11"), ('java version "1.8.0_1"', "is 8")),
)
def test_an_old_java_is_refused(tmp_path: Path, version: str, sentence: str) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    java.chmod(0o755)
    with pytest.raises(JavaMissingError, match=sentence) as raised:
        require_java({"JAVA_HOME": str(tmp_path)})
    assert raised.value.exit_code == 3
    java.write_text("#!/bin/sh\necho 'openjdk version \"21\" 2023-09-19' >&2\n")
    require_java({"JAVA_HOME": str(tmp_path)})


def test_a_missing_java_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaMissingError, match="install Java 17 or newer"):
        require_java({})
    with pytest.raises(JavaMissingError, match="does not run"):
        require_java({"JAVA_HOME": str(tmp_path)})
