"""The command line of the demo."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from deploy.demo.input_file import InputError
from deploy.demo.report import Report
from deploy.demo.run_file import run_file
from deploy.demo.run_fleet import run_fleet
from deploy.local.status.status import DEMO_PREFIX
from isotherm.errors import EXIT_OTHER, IsothermError

if TYPE_CHECKING:
    from types import FrameType

_INTERRUPTED: Final = 130
_file = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--input",
    "source",
    type=_file,
    metavar="FILE",
    help="Send this file's readings, one a line, instead of a simulated fleet's; ends by itself "
    "once each line is counted or dead-lettered.",
)
@click.option(
    "--snapshots",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Append Spark's snapshots here.",
)
@click.option(
    "--sensors",
    type=click.IntRange(1, 1_000_000),
    default=2000,
    show_default=True,
    help="Size of the simulated fleet.",
)
@click.option(
    "--data", type=_file, metavar="DIR", help="An empty or new folder for data and logs; is kept."
)
@click.option("--no-page", is_flag=True, help="Do not start the page.")
@click.option("--keep", is_flag=True, help="Keep the temporary folder with data and logs.")
def cli(
    source: Path | None,
    snapshots: Path | None,
    sensors: int,
    data: Path | None,
    *,
    no_page: bool,
    keep: bool,
) -> None:
    """Run the whole pipeline on this machine: agents, MQTT, bridge, Kafka, Spark, page."""
    if snapshots is not None and not snapshots.resolve().parent.is_dir():
        raise click.BadParameter("its folder does not exist", param_hint="--snapshots")
    folder = _folder(data)
    report = Report(sys.stderr)
    try:
        target = (snapshots or folder / "snapshots.jsonl").resolve()
        if source is None:
            run_fleet(folder, target, sensors, report, page=not no_page)
        else:
            run_file(folder, target, source.resolve(), report)
    except InputError:
        if data is None:
            shutil.rmtree(folder)
        raise
    except BaseException:
        report(f"data and logs are kept in {folder}")
        raise
    if data is None and not keep:
        shutil.rmtree(folder)
    else:
        report(f"data and logs are in {folder}")


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except IsothermError as error:
        print(f"isotherm demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("isotherm demo: interrupted; everything is stopped", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except OSError as error:
        print(f"isotherm demo: {error}", file=sys.stderr)
        sys.exit(EXIT_OTHER)
    sys.exit(0)


def _folder(data: Path | None) -> Path:
    if data is None:
        return Path(tempfile.mkdtemp(prefix=DEMO_PREFIX))
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise click.UsageError(f"--data {data} is not empty; each run needs a new folder")
    return data.resolve()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
