"""Kafka's jars, fetched once by the Ivy that PySpark ships, into the user's cache folder."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from deploy.errors import FetchError, MissingPartError
from deploy.local.process import TAIL_LINES, own_file
from deploy.local.services.java import find_java

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

KAFKA_VERSION: Final = "4.3.1"
_MAIN_JAR: Final = f"kafka_2.13-{KAFKA_VERSION}.jar"
_COMMON: Final = 46
"""How many jars it is about, for the progress line only."""

_DEPENDENCIES: Final = Path(__file__).parents[2] / "kafka/ivy.xml"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this version's jars are kept: under XDG_CACHE_HOME, by default ~/.cache."""
    cache = environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "isotherm" / f"kafka-{KAFKA_VERSION}"


def kafka_jars(
    report: Callable[[str], None],
    folder: Path | None = None,
    fetch: Callable[[Path, Callable[[str], None]], None] | None = None,
) -> Path:
    """The folder with Kafka's jars, fetched if they are not there yet.

    The folder appears in one step, complete, or not at all. Of several that want it at once one
    fetches and the others wait.

    Args:
        report: shows one line of progress.
        folder: default `cache_folder`.
        fetch: puts the jars into a folder; default by Ivy.

    Raises:
        FetchError: they could not be fetched.
        MissingPartError: Java or PySpark is not installed.
    """
    folder = folder or cache_folder()
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / f"{folder.name}.lock"):
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as work:
                    jars = Path(work, "jars")
                    (fetch or fetch_by_ivy)(jars, report)
                    jars.rename(folder)
    except OSError as error:
        raise FetchError(f"Kafka cannot be kept in {folder}: {error}") from error
    return folder


def fetch_by_ivy(folder: Path, report: Callable[[str], None]) -> None:
    """Fetch the broker with all it needs into `folder`.

    Raises:
        FetchError: a jar is missing or damaged.
        MissingPartError: Java or PySpark is not installed.
    """
    ivy_file = folder.parent / "ivy.xml"
    text = Template(_DEPENDENCIES.read_text(encoding="utf-8")).substitute(version=KAFKA_VERSION)
    ivy_file.write_text(text, encoding="utf-8")
    command = [
        *(find_java() / "bin/java", "-jar", ivy_jar()),
        *("-cache", folder.parent / "ivy", "-ivy", ivy_file),
        *("-confs", "default", "-types", "jar", "bundle"),
        *("-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]"),
    ]
    report(f"fetching Kafka {KAFKA_VERSION}, once, some 45 MB")
    lines = []
    fetched = 0
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as ivy:
        assert ivy.stdout is not None
        try:
            for line in ivy.stdout:
                lines.append(line.rstrip())
                if "[SUCCESSFUL" in line:
                    fetched += 1
                    if fetched % 10 == 0:
                        report(f"fetching Kafka {KAFKA_VERSION}: {fetched} of {_COMMON} jars")
        except BaseException:
            ivy.kill()
            raise
    if ivy.returncode != 0 or not is_complete(folder):
        said = "\n".join(lines[-TAIL_LINES:])
        raise FetchError(
            f"Kafka {KAFKA_VERSION} could not be fetched from Maven Central; is this machine "
            f"online? Nothing was kept, so try again. The fetcher said:\n{said}"
        )


def is_complete(folder: Path) -> bool:
    """Whether the broker's own jar is there and every jar is whole."""
    jars = list(folder.glob("*.jar"))
    return _MAIN_JAR in {jar.name for jar in jars} and all(zipfile.is_zipfile(jar) for jar in jars)


def ivy_jar() -> Path:
    """The Ivy that PySpark ships.

    Raises:
        MissingPartError: PySpark is not installed.
    """
    found = importlib.util.find_spec("pyspark")
    folder = Path(found.origin).parent if found and found.origin else Path(os.devnull)
    for jar in folder.glob("jars/ivy-*.jar"):
        return jar
    raise MissingPartError("PySpark is not installed: pip install 'isotherm[all]'")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w", opener=own_file) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # What a fetcher that was killed left behind; none other can be at work now.
        for left in path.parent.glob("fetching-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
