"""The root of every program's error tree.

IsothermError
├── SettingsError         a setting is wrong; the message names the key, the value and the fix
├── ReadingRejectedError  one record is not a reading (isotherm.contract.reasons)
├── ForeignJsonError      somebody else's JSON cannot be used (isotherm.contract.foreign_json)
└── AgentError, BridgeError, AggregatorError, StackError: each program's own tree
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

EXIT_FINE = 0
EXIT_OTHER = 1
EXIT_USAGE = 2
EXIT_DEPENDENCY = 3

# The path of a webhook's address often is its secret.
_SECRET_KEY: Final = re.compile(r"(?:password|secret|token|webhook)$", re.IGNORECASE)
# user:password@host, with or without a scheme in front.
_PASSWORD: Final = re.compile(r"(?<=:)(?!//).*@")


class IsothermError(Exception):
    """Anything that isotherm raises on purpose.

    Attributes:
        retriable: whether the same call may succeed later without a person's help.
        exit_code: what a program that ends by this error returns to its caller.
    """

    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = EXIT_OTHER


class SettingsError(IsothermError, ValueError):
    """A setting is unknown, missing or out of range.

    Args:
        key: the setting as the person wrote it (``mqtt.url``, ``--rate``, an environment name).
        value: what was given, or None where nothing was; the message hides a password in it.
        fix: one sentence that says what to write instead.
    """

    exit_code = EXIT_USAGE

    def __init__(self, key: str, value: object, fix: str) -> None:
        self.key = key
        self.value = value
        self.fix = fix
        given = "is not set" if value is None else f"= {_without_password(key, value)}"
        super().__init__(f"{key} {given}: {fix}")


def _without_password(key: str, value: object) -> str:
    return "***" if _SECRET_KEY.search(key) else _PASSWORD.sub("***@", repr(value))
