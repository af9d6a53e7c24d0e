"""`python -m tests.support.promtool`: where promtool is; it is fetched if need be, for tests only.

Up to Debian 12 it comes in the package `prometheus`, which would start a server when it is
installed, on a machine of somebody who only wants to run tests. So it is downloaded and unpacked
into the user's cache folder, and one file of it is kept. Needs nothing but Python, and no rights.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.errors import FetchError, MissingPartError
from isotherm.errors import IsothermError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKAGES: Final = ("promtool", "prometheus")
"""Debian packages that hold it, newest first: Debian 13 gave it one of its own."""


def cached(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a fetched promtool is kept: under XDG_CACHE_HOME, by default ~/.cache."""
    cache = environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "isotherm/prometheus/promtool"


def find_promtool(environ: Mapping[str, str] = os.environ) -> str:
    """The program, as installed or as fetched.

    Raises:
        MissingPartError: it is neither.
    """
    program = shutil.which("promtool", path=environ.get("PATH", ""))
    if program is None:
        program = shutil.which(str(cached(environ)))
    if program is None:
        raise MissingPartError(
            "promtool is neither installed nor fetched: python -m tests.support.promtool"
        )
    return program


def fetch_promtool(
    target: Path | None = None, download: Callable[[Path], None] | None = None
) -> None:
    """Fetch Debian's package and keep its promtool.

    Args:
        target: default `cached`.
        download: puts the package's .deb into a folder; default by apt-get.

    Raises:
        FetchError: there is no apt-get, or the package cannot be fetched or unpacked.
    """
    target = target or cached()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as work:
            (download or _download)(Path(work))
            found = _unpacked(Path(work))
            # In one step: another that looks meanwhile finds all of it or nothing.
            found.replace(target)
    except (OSError, subprocess.CalledProcessError) as error:
        raise FetchError(
            f"promtool, which the tests of the alerting rules need, cannot be fetched: {error}. "
            f"Is the machine online, and are its package lists there (sudo apt-get update)? "
            f"Elsewhere than on Debian and Ubuntu put promtool on PATH; it comes with Prometheus"
        ) from error


def _unpacked(folder: Path) -> Path:
    packages = sorted(folder.glob("*.deb"))
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    found = folder / "usr/bin/promtool"
    if not found.exists():
        names = ", ".join(package.name for package in packages)
        raise OSError(f"there is none in {names or 'what was downloaded'}")
    return found


def _download(folder: Path) -> None:
    said = []
    for package in PACKAGES:
        # Quiet but for errors; as root apt warns that its own user may not write here.
        command = ["apt-get", "-qq", "download", package]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said.append(done.stderr.strip() or f"{' '.join(command)} ended with {done.returncode}")
    raise OSError("; ".join(said))


def main() -> int:
    """Print where it is; 3 where it is not available."""
    try:
        try:
            print(find_promtool())
        except MissingPartError:
            print("fetching promtool, once, some 19 MB", file=sys.stderr)
            fetch_promtool()
            print(find_promtool())
    except IsothermError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
