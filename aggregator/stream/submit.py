"""Builds the spark-submit line out of what is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from aggregator.errors import JavaMissingError
from aggregator.stream.connector import connector_options
from isotherm.errors import SettingsError
from isotherm.files import keep_from_others

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FOLDER: Final = Path(__file__).resolve().parents[1]
_OLDEST_JAVA: Final = 17
# Its web server takes a second of the start; of two alike, Spark takes the last.
_CONF: Final = ("spark.ui.enabled=false",)
_LOOPBACK: Final = "127.0.0.1"
_ALONE: Final = (f"spark.driver.host={_LOOPBACK}", f"spark.driver.bindAddress={_LOOPBACK}")
"""As `aggregator.stream.session.LOOPBACK`, which is for those who start spark-submit themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitLine:
    """A command with the environment that it needs; as text it can be pasted into a shell."""

    environment: Mapping[str, str]
    command: tuple[str, ...]

    def __str__(self) -> str:
        words = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*words, shlex.join(self.command)])

    def execute(self, environ: Mapping[str, str]) -> NoReturn:
        """Become that command; the process keeps its number."""
        # Java makes the checkpoint, and other users have no business in it.
        keep_from_others()
        os.execve(self.command[0], self.command, {**environ, **self.environment})  # noqa: S606 our own words


def spark_submit(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    master: str | None = None,
    conf: Sequence[str] = (),
) -> SubmitLine:
    """The spark-submit line that runs the installed job with the installed PySpark.

    Args:
        arguments: flags of the job.
        environ: the person's environment; Java options in SPARK_SUBMIT_OPTS are kept.
        master: Spark's master; None leaves it to Spark.
        conf: properties of Spark, as KEY=VALUE.

    Raises:
        SettingsError: the driver would run elsewhere.
    """
    for entry in conf:
        if re.fullmatch(r"spark\.submit\.deployMode\s*=\s*cluster\s*", entry):
            raise SettingsError(
                "--conf",
                entry,
                "the driver keeps checkpoint and ledger, so it runs where you start it: leave "
                "spark.submit.deployMode at client (docs/cluster.md)",
            )
    home, version = find_pyspark()
    alone = _alone(master, conf, environ, home)
    entries = (*_CONF, *(_ALONE if alone else ()), *conf)
    command = [
        str(home / "bin" / "spark-submit"),
        *(("--master", master) if master is not None else ()),
        *(word for entry in entries for word in ("--conf", entry)),
        *connector_options(version, Path(folder) if (folder := environ.get("HOME")) else None),
        str(_FOLDER / "job.py"),
        *arguments,
    ]
    quiet = f"-Dlog4j2.configurationFile={(_FOLDER / 'stream/log4j2.properties').as_uri()}"
    # The person's options come last: of two alike, Java takes the last.
    options = f"{quiet} {environ.get('SPARK_SUBMIT_OPTS', '')}".strip()
    environment = {
        "SPARK_HOME": str(home),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        # Executors on other machines may have theirs elsewhere.
        "PYSPARK_PYTHON": environ.get("PYSPARK_PYTHON", sys.executable),
        "SPARK_SUBMIT_OPTS": options,
    }
    if alone:
        environment["SPARK_LOCAL_IP"] = environ.get("SPARK_LOCAL_IP", _LOOPBACK)
    return SubmitLine(environment=environment, command=tuple(command))


def _alone(master: str | None, conf: Sequence[str], environ: Mapping[str, str], home: Path) -> bool:
    """Whether the job runs in one process: on ``local[…]``, which is also Spark's own choice."""
    named = [entry.partition("=")[2] for entry in conf if re.match(r"spark\.master\s*=", entry)]
    chosen = master or (named[-1] if named else None) or environ.get("MASTER")
    if chosen is None:
        folder = Path(environ.get("SPARK_CONF_DIR") or home / "conf")
        try:
            defaults = (folder / "spark-defaults.conf").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return True
        found = re.findall(r"^\s*spark\.master[\s=:]+(\S+)", defaults, re.MULTILINE)
        chosen = found[-1] if found else "local"
    return chosen.strip().startswith("local")


def require_java(environ: Mapping[str, str]) -> tuple[str, int | None]:
    """Refuse to start without a Java that Spark can run on.

    Returns:
        The program, and its version; None where it does not say that in the usual words.

    Raises:
        JavaMissingError: there is none, or it is too old.
    """
    home = environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    install = "install Java 17 or newer (apt-get install openjdk-17-jre-headless)"
    if java is None:
        raise JavaMissingError(f"Spark needs Java, and none is installed: {install}")
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise JavaMissingError(f"Spark needs Java, and {java} does not run: {install}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    version = None if found is None else int(found[1])
    if version is not None and version < _OLDEST_JAVA:
        raise JavaMissingError(f"Spark needs Java 17 or newer, and {java} is {version}: {install}")
    return java, version


def find_pyspark() -> tuple[Path, str]:
    """Where the installed PySpark is, and its version.

    Raises:
        ModuleNotFoundError: there is none.
    """
    # Found, not imported: the import takes a second that the job then takes again.
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark")
    return Path(spec.origin).parent, importlib.metadata.version("pyspark")
