"""Memory and cores against what Spark takes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isotherm.doctor.disk import mib
from isotherm.doctor.finding import ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isotherm.doctor.finding import Finding

NEEDED: Final = 2 << 30
"""Bytes: Spark's Java may grow to 1 GiB (spark.driver.memory), beside it are the driver's Python,
DuckDB and a worker for each core."""
_MANY: Final = 8


def available_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Memory that programs can have without swapping; None where the system does not say."""
    try:
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(encoding="ascii"), re.MULTILINE
        )
    except OSError:
        return None
    return None if found is None else int(found[1]) << 10


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_machine(memory: int | None, number: int, partitions: int | None) -> Iterator[Finding]:
    """Judge this machine, as far as the job runs on it alone.

    Args:
        memory: see `available_bytes`.
        number: of cores.
        partitions: of the topic; None where it is not known.
    """
    if memory is None:
        yield ok("memory", "the system does not say what is available")
    elif memory < NEEDED:
        yield warn(
            "memory",
            f"{mib(memory)} available; Spark on this machine takes some {mib(NEEDED)}: end other "
            "programs, or lower spark.driver.memory with --conf",
        )
    else:
        yield ok("memory", f"{mib(memory)} available")
    if partitions is None:
        return
    said = f"cores {number}, partitions {partitions}"
    if partitions < number:
        yield warn(
            "cores",
            f"{said}: a trigger reads with one core for each partition, so {number - partitions} "
            "stand idle; where it cannot keep up, give the topic more partitions",
        )
    elif partitions > _MANY * number:
        yield warn(
            "cores",
            f"{said}: each partition costs a task in every trigger; fewer would do on this machine",
        )
    else:
        yield ok("cores", said)
