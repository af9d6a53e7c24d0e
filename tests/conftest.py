"""What tests of several programs share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from deploy.local import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """mosquitto and Kafka of their own for the whole run, on free ports.

    Tests share it: use topics of your own, and start again what you stopped.
    """
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, usual_ports=False, report=_report) as running:
        yield running


def _report(line: str) -> None:
    print(line, file=sys.stderr)
