"""Whatever looks at a metric looks at one that the code exports."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from docs.write import METRICS_OF

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bisotherm_[a-z]+_[a-z_]+[a-z]\b")
LOOKING = sorted(
    path
    for folder in ("deploy/prometheus", "deploy/grafana", "tests/deploy/prometheus")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".yml", ".json"}
)


def exported() -> set[str]:
    return {prefix + metric.name for _, _, prefix, table in METRICS_OF for metric in table}


@pytest.mark.parametrize("path", LOOKING, ids=lambda path: path.name)
def test_every_metric_that_is_looked_at_is_exported(path: Path) -> None:
    assert not set(NAME.findall(path.read_text(encoding="utf-8"))) - exported()


def test_the_rules_and_dashboards_look_at_metrics() -> None:
    named = {name for path in LOOKING for name in NAME.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 20


def test_every_table_of_metrics_is_documented() -> None:
    names = {name.split("_", 2)[2] for name in exported()}
    # Not the whole tree: a virtual environment of any name may lie in it.
    programs = ("edge_agent", "bridge", "aggregator", "dashboard")
    paths = [path for name in programs for path in (ROOT / name).rglob("*metrics.py")]
    assert len(paths) >= len(METRICS_OF)
    for path in paths:
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        tables = [table for name, table in vars(module).items() if name.endswith("METRICS")]
        assert tables, path
        assert {metric.name for table in tables for metric in table} <= names
