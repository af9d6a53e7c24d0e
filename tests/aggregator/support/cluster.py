"""A Spark standalone cluster on loopback: a master and two workers of one core each.

With the secret and the encryption of docs/cluster.md.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.aggregator.support.jobs import HOME, PATIENCE
from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 2
RECIPE = Path(__file__).resolve().parents[3] / "deploy" / "spark" / "spark-defaults.conf"


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start it and wait until the master knows its workers.

    Yields:
        The master's address, ``spark://…``.
    """
    configuration(folder).mkdir(mode=0o700)
    words = RECIPE.read_text().replace("SECRET", secrets.token_hex(32))
    (configuration(folder) / RECIPE.name).write_text(words)
    with ExitStack() as stack:
        master = _start(stack, folder, "master.Master", "--port", "0", "--webui-port", "0")
        await_true(lambda: _address(master) is not None, "the master", PATIENCE)
        address = _address(master)
        assert address is not None
        for number in range(WORKERS):
            _start(
                stack,
                folder,
                *("worker.Worker", "-c", "1", "-m", "1G", "--webui-port", "0"),
                *("-d", str(folder / f"worker-{number}"), address),
                log=f"worker-{number}",
            )
        await_true(
            lambda: master.read_text().count("Registering worker") == WORKERS,
            "the workers",
            PATIENCE,
        )
        yield address


def configuration(folder: Path) -> Path:
    """The folder to be named by SPARK_CONF_DIR."""
    return folder / "conf"


def executors(folder: Path) -> int:
    """How many workers an executor of a job ran on."""
    return sum(any(folder.glob(f"worker-{number}/app-*/*")) for number in range(WORKERS))


def _start(stack: ExitStack, folder: Path, *words: str, log: str = "master") -> Path:
    path = folder / f"{log}.log"
    environment = {
        **os.environ,
        "SPARK_HOME": str(HOME),
        "SPARK_CONF_DIR": str(configuration(folder)),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_MEMORY": "256m",
    }
    name, *others = words
    with path.open("w") as output:
        process = subprocess.Popen(
            [
                str(HOME / "bin/spark-class"),
                f"org.apache.spark.deploy.{name}",
                *("--host", "127.0.0.1", *others),
            ],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return path


def _address(log: Path) -> str | None:
    found = re.search(r"Starting Spark master at (spark://\S+)", log.read_text())
    return found[1] if found else None
