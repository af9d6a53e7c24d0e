"""Files that hold secrets: who else can read them?"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from isotherm.doctor.finding import fail, ok, warn
from isotherm.settings.tls import is_open_to_others

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isotherm.doctor.finding import Finding


def check_secrets(files: Mapping[str, str | None]) -> Iterator[Finding]:
    """Judge the permissions of each file.

    Args:
        files: by the key of the setting that names it; None where it is not set.
    """
    for key, path in files.items():
        if path is not None:
            yield _secret(key, path)


def _secret(key: str, path: str) -> Finding:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        return fail("secrets", f"{key} = {path} cannot be read: {error.strerror}")
    if is_open_to_others(path, mode):
        return warn(
            "secrets",
            f"{key} = {path} is open to other users of this machine "
            f"(mode {stat.S_IMODE(mode):04o}): chmod 600 {path}",
        )
    return ok("secrets", f"{key} = {path} is its owner's alone")
