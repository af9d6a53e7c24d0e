"""Who is compared, and how each is started."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.aggregator.spark import Program, spark_environ
from deploy.local.services.jars import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ISOTHERM: Final = "isotherm"
REFERENCE: Final = "reference's RDDs"
LOOP: Final = "confluent-kafka loop"
_FOLDER: Final = Path(__file__).resolve().parent
_PEERS: Final = {"quixstreams": "3.28.1", "bytewax": "0.21.1"}
_WITH: Final = ("confluent-kafka", "msgspec")
_PATIENCE_S: Final = 300.0


class Task(NamedTuple):
    """What a contender is told.

    Attributes:
        kafka: ``host:port``.
        topic: with the readings.
        partitions: it has.
        readings: of one batch, for those that must know where it ends.
        folder: for checkpoint, log and output.
        trigger: seconds between Spark's triggers.
    """

    kafka: str
    topic: str
    partitions: int
    readings: int
    folder: Path
    trigger: int = 1


def isotherm(task: Task, life: int = 1) -> Program:
    """`isotherm-aggregator submit`, both scopes.

    Args:
        task: what it is told.
        life: a later one goes on from the checkpoint of the one before.
    """
    output = task.folder / "snapshots.jsonl"
    call = "import sys; from aggregator.cli.main import main; sys.exit(main())"
    command = [
        *(sys.executable, "-c", call, "submit", "--kafka", task.kafka, "--topic", task.topic),
        *("--checkpoint", str(task.folder / "checkpoint"), "--snapshots", str(output)),
        *("--scope", "both", "--trigger", f"{task.trigger} seconds"),
    ]
    environ = spark_environ(task.folder)
    name = ISOTHERM if life == 1 else f"{ISOTHERM} {life}"
    return Program(name, command, folder=task.folder, output=output, environ=environ)


def reference(task: Task) -> Program:
    """The port of the reference's RDD code."""
    output = task.folder / "reference.jsonl"
    environ = spark_environ(task.folder)
    command = [
        *(*_spark_submit(), str(_FOLDER / "reference.py"), task.kafka, task.topic),
        *(str(task.folder / "reference"), str(output), str(task.trigger)),
    ]
    return Program(REFERENCE, command, folder=task.folder, output=output, environ=environ)


def plain(name: str, python: str, task: Task) -> Program:
    """One of `loops`, in the Python that has its library."""
    word = "loop" if name == LOOP else name
    output = task.folder / f"{word}.jsonl"
    command = [
        *(python, str(_FOLDER / "loops.py"), word, task.kafka, task.topic),
        *(str(task.partitions), str(task.readings), str(output)),
    ]
    return Program(name, command, folder=task.folder, output=output)


def contenders(
    report: Callable[[str], None], *, alone: bool
) -> dict[str, Callable[[Task], Program]]:
    """Name to what starts it, without those that are not available.

    Args:
        report: shows one line of progress.
        alone: without those that would be installed from PyPI.
    """
    found: dict[str, Callable[[Task], Program]] = {
        ISOTHERM: isotherm,
        REFERENCE: reference,
        LOOP: lambda task: plain(LOOP, sys.executable, task),
    }
    for name, version in () if alone else _PEERS.items():
        python = _install(name, version, report)
        if python is not None:
            found[name] = lambda task, name=name, python=python: plain(name, python, task)  # type: ignore[misc]
    return found


def _spark_submit() -> list[str]:
    # Found, not imported: its import takes a second.
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    version = importlib.metadata.version("pyspark")
    return [
        str(Path(spec.origin).parent / "bin/spark-submit"),
        *("--packages", f"org.apache.spark:spark-sql-kafka-0-10_2.13:{version}"),
    ]


def _install(name: str, version: str, report: Callable[[str], None]) -> str | None:
    folder = cache_folder().parent / f"{name}-{version}"
    python = folder / "bin/python"
    if _has(python, name):
        return str(python)
    report(f"installing {name} {version} into {folder}")
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *_WITH, f"{name}=={version}"],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        report(f"{name} is not available and is left out: {error}")
        return None
    if not _has(python, name):
        report(f"{name} does not start here and is left out")
        return None
    return str(python)


def _has(python: Path, name: str) -> bool:
    if not python.exists():
        return False
    done = subprocess.run([str(python), "-c", f"import {name}"], capture_output=True, check=False)
    return done.returncode == 0
