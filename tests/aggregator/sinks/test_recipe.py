"""CONTRIBUTING's recipe for a sink, followed: one module is all that the job needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

FOLLOWED = """
import sys
from contextlib import ExitStack
from pathlib import Path

import aggregator.sinks

aggregator.sinks.__path__.append(sys.argv[1])

from click.testing import CliRunner

from aggregator.cli.commands import job_command
from aggregator.monitoring.metrics import METRICS, PREFIX
from aggregator.monitoring.counters import Observed
from aggregator.sinks.factory import make_sinks
from aggregator.settings import PREFIX as VARIABLES
from aggregator.settings import AggregatorSettings
from aggregator.sinks.base import SinkContext
from aggregator.monitoring.view import View
from isotherm.http.prometheus import exposition
from isotherm.log import Log
from isotherm.settings.table import load, markdown
from isotherm.tasks import Tasks
from tests.aggregator.support.golden import snapshot

assert "--csv FILE.csv" in CliRunner().invoke(job_command, ["--help"]).output
assert "| `output.csv` | `--csv` |" in markdown(AggregatorSettings, VARIABLES)
given = {"kafka": "127.0.0.1:9092", "checkpoint": "ck", "console": "off", "csv": sys.argv[2]}
settings = load(AggregatorSettings, VARIABLES, flags=given)
log = Log("test")
tasks = Tasks(log)
context = SinkContext(access=settings.access, stdout=sys.stdout, log=log)
with ExitStack() as stack:
    (sink,) = make_sinks(settings.sinks, context, stack, tasks)
    sink.emit(snapshot())
    view = View(observed=Observed(), trigger=3.0, sinks=[sink])
    assert f'{PREFIX}sink_up{{sink="csv"}} 1' in exposition(PREFIX, METRICS, view)
assert Path(sys.argv[2]).read_text() == "1479735009000000000,9000\\n"
"""


def test_the_module_of_the_recipe_is_a_sink_of_the_job(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("recipe") / "csv_sink.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FOLLOWED, str(tmp_path), str(tmp_path / "out.csv")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
