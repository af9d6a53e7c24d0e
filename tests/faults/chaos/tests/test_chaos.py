"""Two minutes of everything at once, from one seed; `scripts/test --chaos` has more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.chaos.__main__ import command, report
from tests.faults.chaos.run import Run, run

if TYPE_CHECKING:
    from pathlib import Path

SHORT = Run(seed=2599, minutes=2)
"""Bridge, Kafka, job and page are killed, each disk is full once, an outage overfills an outbox."""


@pytest.mark.integration
def test_two_minutes_of_everything_at_once_lose_double_and_change_nothing(tmp_path: Path) -> None:
    verdict = run(SHORT, tmp_path, report)
    assert not verdict.problems, f"{verdict}\nlogs are in {tmp_path}\nagain: {command(SHORT)}"


def test_the_command_repeats_the_run() -> None:
    what = Run(seed=9, minutes=1.5, without=("kill", "bombs"), kafka_client="kafka-python")
    assert command(what) == (
        "scripts/test --chaos 1.5 9 --without kill --without bombs --kafka-client kafka-python"
    )
