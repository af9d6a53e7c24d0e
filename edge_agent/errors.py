"""What the agent raises on purpose.

AgentError (isotherm.errors.IsothermError)
├── MissingExtraError     a package that the command or a probe needs is not installed
├── InputError            a file that was to be replayed cannot be read
├── OutboxInUseError      another agent has the outbox's file
├── OutboxUnreadableError the outbox's file cannot be looked into
└── BrokerError           the MQTT broker cannot be reached
    └── BrokerRefusedError    it answers, but does not let us in

A wrong setting is `isotherm.errors.SettingsError`.
"""

from __future__ import annotations

from isotherm.errors import EXIT_DEPENDENCY, EXIT_USAGE, IsothermError


class AgentError(IsothermError):
    """Anything that the agent raises on purpose."""


class MissingExtraError(AgentError, ImportError):
    """A package that the command or a probe needs is not installed.

    Args:
        package: its name.
        extra: the extra of ours that brings it.
    """

    exit_code = EXIT_DEPENDENCY

    def __init__(self, package: str, extra: str = "agent") -> None:
        super().__init__(f"{package} is not installed; type: pip install 'isotherm[{extra}]'")


class InputError(AgentError, OSError):
    """A file that was to be replayed cannot be read.

    Args:
        path: as the person wrote it.
        reason: what the system said.
    """

    exit_code = EXIT_USAGE

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read: {reason}")


class OutboxInUseError(AgentError, OSError):
    """Another agent has the outbox's file.

    Args:
        path: of the outbox.
    """

    exit_code = EXIT_USAGE

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is in use by another isotherm-agent; stop that one, or give this one an "
            "outbox.path of its own"
        )


class OutboxUnreadableError(AgentError, OSError):
    """The outbox's file cannot be looked into.

    Args:
        path: of the outbox.
        reason: what the system or SQLite said.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read: {reason}")


class BrokerError(AgentError, ConnectionError):
    """The MQTT broker cannot be reached.

    Args:
        address: the broker's address.
        reason: the last thing that it, or the system, said.
    """

    retriable = True
    exit_code = EXIT_DEPENDENCY

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"{address}: {reason}")


class BrokerRefusedError(BrokerError):
    """The broker answers, but does not let us in; a person must mend the settings or the broker."""

    retriable = False
