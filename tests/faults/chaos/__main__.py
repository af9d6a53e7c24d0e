"""`python -m tests.faults.chaos [MINUTES] [SEED]`; scripts/test --chaos calls it."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.faults.chaos.hostile import KINDS
from tests.faults.chaos.plan import kinds
from tests.faults.chaos.run import Run, run

DEFAULT_MINUTES = 2.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("minutes", type=click.FloatRange(0, min_open=True), default=DEFAULT_MINUTES)
@click.argument("seed", type=click.IntRange(0), required=False)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(kinds(KINDS)),
    help="Leave a kind out; may be given several times.",
)
@click.option(
    "--kafka-client",
    type=click.Choice(("librdkafka", "kafka-python")),
    default="librdkafka",
    show_default=True,
    help="Of the bridge.",
)
@click.option("--keep", is_flag=True, help="Keep logs and data also where all was as promised.")
def main(
    minutes: float, seed: int | None, without: tuple[str, ...], kafka_client: str, *, keep: bool
) -> None:
    """The whole pipeline under faults for some minutes (2), and then the proof.

    SEED decides all of them; without one it is drawn, and shown.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="isotherm-chaos-"))
    what = Run(seed=seed, minutes=minutes, without=without, kafka_client=kafka_client)
    well = False
    try:
        well = not run(what, folder, report).problems
    finally:
        if well and not keep:
            shutil.rmtree(folder)
        else:
            report(f"logs, journals and topics are in {folder}")
    if not well:
        report(f"again: {command(what)}")
        sys.exit(1)
    report("everything is as promised")


def command(what: Run) -> str:
    """The line that repeats a run."""
    words = ["scripts/test", "--chaos", f"{what.minutes:g}", str(what.seed)]
    words += [word for kind in what.without for word in ("--without", kind)]
    if what.kafka_client != "librdkafka":
        words += ["--kafka-client", what.kafka_client]
    return " ".join(words)


def report(line: str) -> None:
    """Show a line at once."""
    print(f"[chaos] {line}", flush=True)


if __name__ == "__main__":
    main()
