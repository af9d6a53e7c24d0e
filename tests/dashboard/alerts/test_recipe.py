"""CONTRIBUTING's recipes for alerts: a rule is whole, and a sink is one module."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dashboard.alerts.alert import HELP
from dashboard.alerts.rules import Limits, rules

ROOT = Path(__file__).parents[3]

FOLLOWED = """
import sys
from pathlib import Path

import dashboard.alerts.sinks

dashboard.alerts.sinks.__path__.append(sys.argv[1])

from click.testing import CliRunner

from dashboard.alerts.alert import Alert
from dashboard.alerts.condition import Key
from dashboard.alerts.factory import make_alerts
from dashboard.cli import cli
from dashboard.settings import PREFIX, DashboardSettings
from isotherm.log import Log
from isotherm.settings.table import load, markdown, sample
from isotherm.tasks import Tasks
from tests.support import await_true

assert "--alert-list FILE" in CliRunner().invoke(cli, ["run", "--help"]).output
assert "| `alerts.list` | `--alert-list` |" in markdown(DashboardSettings, PREFIX)
assert sample(DashboardSettings, title="x").count("[alerts]") == 1
settings = load(DashboardSettings, PREFIX, flags={"snapshots": "s", "alert_list": sys.argv[2]})
settings.check()
log = Log("test")
alerts = make_alerts(settings, log, Tasks(log))
(sink,) = alerts.sinks
az = Alert(key=Key("state-too-hot", "AZ"), since=5000, value=112.0)
sink.update([az], 10**12)
sink.update([], 10**12 + 1)
await_true(lambda: sink.sent == 2, "both lines")
alerts.close()
assert Path(sys.argv[2]).read_text() == "state-too-hot AZ True\\nstate-too-hot AZ False\\n"
"""


def test_the_module_of_the_recipe_is_a_sink_of_the_page(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("recipe") / "list_sink.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FOLLOWED, str(tmp_path), str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_rule_is_in_the_schema_and_has_a_section_that_says_what_to_do() -> None:
    schema = json.loads((ROOT / "dashboard/alerts/alert.schema.json").read_text("utf-8"))
    page = (ROOT / HELP.rstrip("#")).read_text("utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    }
    for name, rule in rules(Limits()).items():
        assert name in schema["properties"]["name"]["enum"]
        assert rule.unit in schema["properties"]["unit"]["enum"]
        assert rule.section in anchors
