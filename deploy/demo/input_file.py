"""The lines of the file that the demo sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from deploy.errors import StackError
from isotherm.errors import EXIT_USAGE

if TYPE_CHECKING:
    from pathlib import Path


class InputError(StackError):
    """The file cannot be sent."""

    exit_code: ClassVar[int] = EXIT_USAGE


def count_lines(path: Path) -> int:
    """How many lines of a file are not blank: the readings that are to be accounted for.

    Raises:
        InputError: the file cannot be read, or has no such line.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"--input {path} is not a file")
    try:
        with path.open("rb") as stream:
            # Only a newline ends a line, and white space alone is no reading.
            count = sum(1 for line in stream if not line.isspace())
    except OSError as error:
        raise InputError(f"--input {path} cannot be read: {error.strerror}") from error
    if count == 0:
        raise InputError(f"--input {path} holds no lines to send")
    return count
