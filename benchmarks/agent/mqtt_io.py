"""mqtt-io, the best known program for the same task, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from deploy.local.ports import LOOPBACK
from deploy.local.services.jars import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION: Final = "2.7.0"
_PATIENCE_S: Final = 300.0
_CONFIG: Final = """\
mqtt:
  host: {host}
  port: {port}
  topic_prefix: mqtt-io
sensor_modules:
  - name: mock
    module: mock
sensor_inputs:
  - name: probe
    module: mock
    interval: 1
"""


def find_mqtt_io(report: Callable[[str], None]) -> str | None:
    """The Python that has it; installed into the cache folder where it is not there.

    Args:
        report: shows one line of progress; says why where it is not available, which is no error.
    """
    folder = cache_folder().parent / f"mqtt-io-{VERSION}"
    python = folder / "bin/python"
    if _works(python):
        return str(python)
    report(f"installing mqtt-io {VERSION} into {folder}")
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", f"mqtt-io=={VERSION}"],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        report(f"mqtt-io is not available and is left out: {error}")
        return None
    if not _works(python):
        report("mqtt-io does not start here and is left out")
        return None
    return str(python)


def mqtt_io_command(python: str, folder: Path, port: int) -> list[str]:
    """What runs it with one mock probe at 1 s; its configuration is written into `folder`."""
    config = folder / "mqtt-io.yml"
    config.write_text(_CONFIG.format(host=LOOPBACK, port=port), encoding="utf-8")
    return [python, "-m", "mqtt_io", str(config)]


def _works(python: Path) -> bool:
    if not python.exists():
        return False
    command = [str(python), "-c", "import mqtt_io.server, mqtt_io.modules.sensor.mock"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
