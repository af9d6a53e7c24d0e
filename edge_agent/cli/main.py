"""The entry of `isotherm-agent`: errors become a sentence on stderr and an exit code."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from edge_agent.errors import MissingExtraError
from edge_agent.service.signals import EXIT_BASE
from isotherm.errors import IsothermError


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    try:
        sys.exit(_run())
    except IsothermError as error:
        print(f"isotherm-agent: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _run() -> int:
    if sys.argv[1:2] == ["run"]:
        from edge_agent.cli.run import read_arguments, run_service  # noqa: PLC0415 for `run` alone

        arguments = read_arguments(sys.argv[2:])
        if arguments is not None:
            try:
                return run_service(arguments)
            except KeyboardInterrupt:
                return EXIT_BASE + signal.SIGINT
    try:
        import click  # noqa: PLC0415 without it, a sentence shall say so
    except ImportError as error:
        raise MissingExtraError("click") from error
    from edge_agent.cli.commands import agent  # noqa: PLC0415 imports click

    try:
        return int(agent.main(prog_name="isotherm-agent", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_BASE + signal.SIGINT
