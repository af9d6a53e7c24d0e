"""How benchmarks talk to people."""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from isotherm.errors import IsothermError

if TYPE_CHECKING:
    from collections.abc import Sequence


def spread(values: Sequence[float], form: str) -> str:
    """The median of several runs, and their extremes: ``12 (11-14)``."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}}-{high:{form}})"


def report(line: str) -> None:
    """Show one line of progress."""
    print(f"[bench] {line}", file=sys.stderr, flush=True)


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a command line, and exit with its code."""
    try:
        command.main(prog_name=f"scripts/bench {name}", standalone_mode=False)
    except IsothermError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(0)
