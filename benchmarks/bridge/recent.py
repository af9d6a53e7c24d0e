"""A mosquitto that holds its in-flight window, without installing it.

Before 2.0.13 mosquitto sends more than the Receive Maximum to a client that acknowledges fast, so
that no window can be compared there, and Debian 12 has 2.0.11. Debian 13's packages are unpacked
into the cache folder, with the C library that they need, and run from there.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from deploy.local.services.jars import cache_folder
from deploy.local.services.mosquitto import find_mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDS_WINDOW_SINCE: Final = (2, 0, 13)
_FOLDER: Final = "mosquitto-debian-13"
_FETCH: Final = Template(
    """
set -eu
cd -- '$work'
mkdir -p lists/partial cache/archives/partial root
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\\n' \\
    http://deb.debian.org/debian >sources.list
apt() {
    apt-get -q -o Dir::Etc::sourcelist="$$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null \\
        -o Dir::State::lists="$$PWD/lists" -o Dir::State::status=/dev/null \\
        -o Dir::Cache="$$PWD/cache" -o APT::Sandbox::User=root "$$@"
}
apt update
names="$$(apt -s install --no-install-recommends mosquitto |
    sed -n 's/^Inst \\(lib[^ ]*\\|mosquitto\\|zlib1g\\) .*/\\1/p')"
apt download $$names
for package in *.deb; do dpkg -x "$$package" root; done
"""
)
_WRAPPER: Final = Template("""#!/bin/sh
exec '$loader' --library-path '$libraries' '$program' "$$@"
""")


def version_of(program: str) -> tuple[int, ...]:
    """The version of a mosquitto; () where it does not say."""
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"mosquitto version (\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def recent_mosquitto(report: Callable[[str], None]) -> str:
    """A mosquitto program: the system's if it holds its window, else Debian 13's.

    Where that is not available, the system's; `version_of` tells.

    Args:
        report: shows one line of progress.

    Raises:
        MissingPartError: mosquitto is not installed.
    """
    own = find_mosquitto()
    if version_of(own) >= HOLDS_WINDOW_SINCE:
        return own
    folder = cache_folder().parent / _FOLDER
    program = folder / "mosquitto"
    if not program.exists():
        report(
            "fetching mosquitto 2.0.21 from Debian 13 (9 MB): the system's does not hold a window"
        )
        try:
            _fetch(folder)
        except (OSError, subprocess.CalledProcessError, StopIteration) as error:
            report(f"it is not available ({error}); the system's is used")
            return own
    return str(program)


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as work:
        subprocess.run(
            ["bash", "-c", _FETCH.substitute(work=work)],
            check=True,
            capture_output=True,
        )
        root = Path(work, "root")
        loader = next(root.rglob("ld-linux*.so.*"))
        target = folder / "root"
        libraries = next(root.rglob("libmosquitto.so.1")).parent.relative_to(root)
        folder.mkdir(exist_ok=True)
        root.rename(target)
        wrapper = folder / "mosquitto"
        wrapper.write_text(
            _WRAPPER.substitute(
                loader=target / loader.relative_to(root),
                libraries=target / libraries,
                program=target / "usr/sbin/mosquitto",
            ),
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
