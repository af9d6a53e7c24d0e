"""The entries: `isotherm-aggregator`, and the job under spark-submit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from isotherm.errors import EXIT_DEPENDENCY

if TYPE_CHECKING:
    from collections.abc import Callable

_NEEDED = (
    *("click", "confluent_kafka", "duckdb", "numpy", "prometheus_client", "pyarrow"),
    "pyspark",
)


def main() -> int:
    """`isotherm-aggregator`.

    Returns:
        The exit code.
    """
    return _guarded(_main)


def job() -> int:
    """`aggregator/job.py` under spark-submit.

    Returns:
        The exit code.
    """
    return _guarded(_job)


def _main() -> int:
    from aggregator.cli.commands import group, invoke  # noqa: PLC0415 may lack its packages

    return invoke(group)


def _job() -> int:
    from aggregator.cli.commands import invoke, job_command  # noqa: PLC0415 may lack its packages
    from aggregator.stream.session import java_stderr  # noqa: PLC0415 the same

    sys.stderr = java_stderr() or sys.stderr
    return invoke(job_command)


def _guarded(entry: Callable[[], int]) -> int:
    try:
        return entry()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        print(
            f"isotherm-aggregator: {error.name} is missing: pip install 'isotherm[aggregator]'",
            file=sys.stderr,
        )
        return EXIT_DEPENDENCY
