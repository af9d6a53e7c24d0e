"""What a check found: one sentence and a mark; and how a doctor tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from isotherm.errors import EXIT_DEPENDENCY, EXIT_FINE, EXIT_OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Mark(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        mark: how it stands.
        check: what was looked at, in a word or two.
        sentence: what was seen, and what to do where it is not well.
        dependency: a failure means that what the program depends on (MQTT broker, Kafka, Java)
            is not available.
    """

    mark: Mark
    check: str
    sentence: str
    dependency: bool = False

    def __str__(self) -> str:
        return f"{self.mark:<5}{self.check:<14}{self.sentence}"


def ok(check: str, sentence: str) -> Finding:
    """It is well."""
    return Finding(Mark.OK, check, sentence)


def warn(check: str, sentence: str) -> Finding:
    """The program works, but a person may want to mend it."""
    return Finding(Mark.WARN, check, sentence)


def fail(check: str, sentence: str, *, dependency: bool = False) -> Finding:
    """The program cannot work, or cannot keep its promise."""
    return Finding(Mark.FAIL, check, sentence, dependency)


def exit_code(findings: Sequence[Finding]) -> int:
    """What the doctor ends with; warnings do not count."""
    failed = [finding for finding in findings if finding.mark is Mark.FAIL]
    if any(finding.dependency for finding in failed):
        return EXIT_DEPENDENCY
    return EXIT_OTHER if failed else EXIT_FINE


def tell(findings: Iterable[Finding], show: Callable[[Finding], object]) -> int:
    """Show each finding as soon as it is made.

    Args:
        findings: of all checks, in turn.
        show: takes one; prints it.

    Returns:
        The exit code.
    """
    made = []
    for finding in findings:
        made.append(finding)
        show(finding)
    return exit_code(made)
