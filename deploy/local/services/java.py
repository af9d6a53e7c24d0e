"""A Java that Kafka and Spark accept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.errors import APT, MissingPartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST: Final = 17
PACKAGE: Final = "default-jre-headless"
"""Debian 12 has only openjdk-17, Debian 13 only openjdk-21: this is each one's own choice."""


def find_java(environ: Mapping[str, str] = os.environ, jvms: Path = Path("/usr/lib/jvm")) -> Path:
    """The home of the first Java that is new enough: JAVA_HOME, PATH, then `jvms`.

    Raises:
        MissingPartError: there is none.
    """
    seen = ""
    for home in _homes(environ, jvms):
        version = java_version(home)
        if version is not None and version >= OLDEST:
            return home
        if version is not None:
            seen = f" (only {version}, in {home})"
    raise MissingPartError(f"Java {OLDEST} or newer is not installed{seen}: {APT} {PACKAGE}")


def java_version(home: Path) -> int | None:
    """The major version of the Java in `home`, or None if there is none that runs."""
    if not (home / "bin/java").is_file():
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8")
        pattern = r'JAVA_VERSION="(?:1\.)?(\d+)'
    except OSError:
        try:
            shown = subprocess.run(
                [home / "bin/java", "-version"], capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        text, pattern = shown.stderr, r'version "(?:1\.)?(\d+)'
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _homes(environ: Mapping[str, str], jvms: Path) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home)
    if program := shutil.which("java", path=environ.get("PATH")):
        yield Path(program).resolve().parent.parent
    if jvms.is_dir():
        yield from sorted(jvms.iterdir(), reverse=True)
