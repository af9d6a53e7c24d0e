"""Java, PySpark and the Kafka connector."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aggregator.errors import JavaMissingError
from aggregator.stream.connector import connector_options
from aggregator.stream.submit import find_pyspark, require_java
from isotherm.doctor.finding import fail, ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from isotherm.doctor.finding import Finding

_FETCH_S: Final = 300.0


def check_programs(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Find what runs the job; fetches the connector where it is not there yet."""
    try:
        java, number = require_java(environ)
    except JavaMissingError as error:
        yield fail("java", str(error), dependency=True)
        return
    yield ok("java", f"{java} is {number or 'of unknown version'}")
    try:
        home, version = find_pyspark()
    except ModuleNotFoundError:
        yield fail("pyspark", "it is not installed; pip install 'isotherm[aggregator]'")
        return
    yield check_version(version, _required())
    folder = environ.get("HOME")
    options = connector_options(version, Path(folder) if folder else None)
    yield _connector(options, version, home, environ)


def check_version(installed: str, required: str | None) -> Finding:
    """Judge PySpark's version.

    Args:
        installed: the one that is there.
        required: the one that isotherm asks for; None where isotherm runs from a bare checkout.
    """
    if required is None or installed == required:
        return ok("pyspark", f"version {installed}")
    return fail(
        "pyspark",
        f"version {installed} is installed, and isotherm was tried with {required}, to which the "
        f"Kafka connector must be equal: pip install pyspark=={required}",
    )


def required_version(requirements: Sequence[str]) -> str | None:
    """The version of PySpark that a package asks for, by its metadata."""
    for requirement in requirements:
        if found := re.match(r"pyspark\s*==\s*([0-9.]+)", requirement):
            return found[1]
    return None


def _required() -> str | None:
    try:
        return required_version(importlib.metadata.requires("isotherm") or ())
    except importlib.metadata.PackageNotFoundError:
        return None


def _connector(
    options: Sequence[str], version: str, home: Path, environ: Mapping[str, str]
) -> Finding:
    if options[0] == "--jars":
        return ok("connector", f"version {version}, fetched before")
    # The job would do the same at its first start; here it costs nobody a trigger.
    with tempfile.NamedTemporaryFile("w", suffix=".py") as nothing:
        command = [str(home / "bin" / "spark-submit"), *options, nothing.name]
        try:
            done = subprocess.run(
                command,
                env={**environ, "SPARK_HOME": str(home)},
                capture_output=True,
                text=True,
                check=False,
                timeout=_FETCH_S,
            )
        except subprocess.TimeoutExpired:
            return _unfetched(options[1], f"no answer within {_FETCH_S:.0f} s")
    if done.returncode == 0:
        return ok("connector", f"version {version}, fetched just now")
    return _unfetched(options[1], why(done.stderr))


def why(said: str) -> str:
    """The line of spark-submit's output that says what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"Exception|not found|unresolved", line)]
    return (telling or lines or ["it did not say why"])[0]


def _unfetched(name: str, reason: str) -> Finding:
    return fail(
        "connector",
        f"{name} is not here and cannot be fetched: {reason}; let this machine reach Maven Central "
        "or set a mirror in spark.jars.ivySettings, or copy .ivy2.5.2 from the home folder of a "
        "machine that has it",
        dependency=True,
    )
