"""The alerting rules, judged by Prometheus' own promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.promtool import find_promtool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
RULES = FOLDER / "isotherm.rules.yml"
CASES = sorted((Path(__file__).parent / "prometheus").glob("*.test.yml"))
ALERT = re.compile(r"^      - alert: (\w+)\n((?:        .*\n)+)", re.MULTILINE)


def alerts() -> dict[str, str]:
    return dict(ALERT.findall(RULES.read_text(encoding="utf-8")))


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [find_promtool(), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.integration
def test_prometheus_takes_the_rules_and_the_example() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", FOLDER / "prometheus.yml")


@pytest.mark.integration
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_alerts_fire_when_they_shall_and_not_before(case: Path) -> None:
    promtool("test", "rules", case)


def test_every_alert_has_a_case() -> None:
    cases = "".join(case.read_text(encoding="utf-8") for case in CASES)
    assert len(alerts()) == RULES.read_text(encoding="utf-8").count("- alert:") > 20
    assert not {name for name in alerts() if name not in cases}


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    body = alerts()[name]
    assert re.search(r"^          severity: (?:critical|warning)$", body, re.MULTILINE)
    assert re.search(r'^          summary: ".+"$', body, re.MULTILINE)
    assert re.search(r'^          description: ".+\."$', body, re.MULTILINE)


@pytest.mark.parametrize("name", alerts())
def test_an_alert_points_to_a_section_that_is_there(name: str) -> None:
    found = re.search(r"runbook: docs/operations/runbook\.md#(\S+)\n", alerts()[name])
    assert found
    page = (ROOT / "docs/operations/runbook.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    assert found[1] in anchors
