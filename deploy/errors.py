"""What can go wrong while parts are started.

IsothermError
└── StackError
    ├── MissingPartError      a program or package that must be installed is not
    ├── FetchError            Kafka could not be fetched
    ├── AlreadyRunningError   another process owns this data folder
    ├── ForeignStateError     a state file names processes that are not of its stack
    ├── PortTakenError        a port that was asked for by number is in use
    └── ProgramFailedError    a program died, or does not get on
        └── ServiceFailedError    the same of a service that others depend on
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from isotherm.errors import EXIT_DEPENDENCY, IsothermError

if TYPE_CHECKING:
    from collections.abc import Sequence

APT: Final = "sudo apt-get install -y"


class StackError(IsothermError):
    """Anything that the local stack or the demo raises on purpose."""


class MissingPartError(StackError):
    """A program or package is not installed; the message has the command that installs it."""

    exit_code: ClassVar[int] = EXIT_DEPENDENCY


class FetchError(StackError):
    """Kafka's jars could not be fetched; trying again may help."""

    retriable: ClassVar[bool] = True
    exit_code: ClassVar[int] = EXIT_DEPENDENCY


class AlreadyRunningError(StackError):
    """Another process runs a stack in this data folder."""


class ForeignStateError(StackError):
    """A state file names processes that run, and were not started by its stack.

    Args:
        path: of the file.
        pids: of those processes.
    """

    def __init__(self, path: object, pids: Sequence[str]) -> None:
        super().__init__(
            f"{path} names processes that have no file of this folder open, so they were left "
            f"alone: {', '.join(pids)}; look at them with ps, and delete the file if it is not "
            "yours"
        )


class PortTakenError(StackError):
    """Somebody else listens on a port that was asked for by number."""

    exit_code: ClassVar[int] = EXIT_DEPENDENCY


class ProgramFailedError(StackError):
    """A program died, or does not get on.

    Args:
        what: one sentence that says what happened.
        log_tail: the last lines of its log, printed under the sentence.
    """

    def __init__(self, what: str, log_tail: str = "") -> None:
        self.log_tail = log_tail
        super().__init__(f"{what}\n{log_tail}".rstrip())


class ServiceFailedError(ProgramFailedError):
    """A service died, or does not answer."""

    exit_code: ClassVar[int] = EXIT_DEPENDENCY
