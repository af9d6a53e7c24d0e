"""What tests of several programs share."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from deploy.local import Stack
from tests.support import ROOT, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_FAULTS = "faults"
_LONG = tuple(
    ROOT / "tests" / folder
    for folder in ("faults/chaos", "faults/job", "aggregator/job", "faults", "deploy")
)
"""Folders of tests that take minutes: everything at once, and one start of Spark after another."""

# A machine that does much else is slow, and no fault of what is tested.
settings.register_profile("isotherm", deadline=None)
settings.load_profile("isotherm")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules come to stay: Python need not look for garbage among them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For several workers: a file that needs services is one worker's, and comes before the rest.

    Its tests share brokers and sessions. What takes minutes comes first, so that no worker has it
    left when the other is done; unit tests are small change for the end.
    """
    if config.getoption("dist", "no") != "loadgroup":
        return
    items.sort(key=_order)
    for item in items:
        if item.get_closest_marker("integration") is not None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))


def _order(item: pytest.Item) -> tuple[bool, int]:
    """Where a test stands in a run of several workers."""
    folders = [index for index, folder in enumerate(_LONG) if folder in item.path.parents]
    rank = folders[0] if folders else len(_LONG)
    return item.get_closest_marker("integration") is None, rank


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a test leaves behind ends with it."""
    # The stream that a test gave our log is closed by now, and others of its process still log.
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if type(handler) is logging.StreamHandler]:
        root.removeHandler(handler)
    # A client of Kafka that nobody holds goes on asking for a broker that may be gone, until Python
    # looks for garbage, which takes long to come.
    last = nextitem is None or nextitem.path != item.path
    if last and item.get_closest_marker("integration") is not None:
        gc.collect()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """mosquitto and Kafka of their own for the whole run, or a worker's part, on free ports.

    Tests share it: use topics of your own, and start again what you stopped.
    """
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, usual_ports=False, report=_report) as running:
        yield running


@pytest.fixture
def topic(stack: Stack) -> str:
    """A Kafka topic of the test's own, with two partitions, and one for its dead letters."""
    name = unique("readings")
    stack.create_topics(name, partitions=2)
    stack.create_topics(f"{name}.dead-letter")
    return name


def _report(line: str) -> None:
    print(line, file=sys.stderr)


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes the line with the numbers of a fault; they are shown at the end of the run."""
    return lambda line: record_property(_FAULTS, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show them, whatever pytest's flags."""
    lines = [
        f"{result.nodeid.rpartition('::')[2]}: {value}"
        for outcome in ("passed", "failed")
        for result in terminalreporter.getreports(outcome)
        if result.when == "call"
        for key, value in result.user_properties
        if key == _FAULTS
    ]
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)
