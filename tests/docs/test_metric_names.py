"""Whatever looks at a metric looks at one that the code exports, by the name that it has."""

from __future__ import annotations

import csv
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from docs.write import METRICS_OF
from isotherm.http.prometheus import MOST_LABEL, Metric, Sample, exposition
from isotherm.http.registry import Metrics, Table

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


def fixed(metric: Metric[Any], word: str = "w") -> Metric[None]:
    """The same row with one sample that needs no program."""
    labels = tuple((name, word) for name in metric.labels)
    return Metric(
        metric.name, metric.kind, metric.help, lambda _: [Sample(3, labels)], metric.label
    )


def answers(prefix: str, table: list[Metric[None]]) -> list[str]:
    """A table in the text of a program on a server, and in that of the agent."""
    return [Metrics(Table(prefix, table, lambda: None)).text(), exposition(prefix, table, None)]


def test_no_metric_loses_its_name_its_type_or_its_labels() -> None:
    # What was exported before prometheus-client wrote the text; a new metric need not be here.
    with (ROOT / "tests/docs/metric_names.tsv").open(encoding="utf-8") as file:
        before = {
            (row["name"], row["type"], row["labels"])
            for row in csv.DictReader(file, dialect="excel-tab")
        }
    assert len(before) == 88
    now = {
        (prefix + metric.name, metric.kind, metric.label)
        for _, _, prefix, table in METRICS_OF
        for metric in table
    }
    assert not before - now


@pytest.mark.parametrize("page", METRICS_OF, ids=lambda page: page[2])
def test_prometheus_reads_each_metric_as_the_table_has_it(page: tuple[str, str, str, Any]) -> None:
    _, _, prefix, table = page
    for text in answers(prefix, [fixed(metric) for metric in table]):
        lines = text.splitlines()
        kinds = [line.split()[2:] for line in lines if line.startswith("# TYPE ")]
        helps = [line.split(" ", 3)[2:] for line in lines if line.startswith("# HELP ")]
        assert kinds == [[prefix + metric.name, metric.kind] for metric in table]
        assert helps == [[prefix + metric.name, metric.help] for metric in table]
        samples = [
            each for family in text_string_to_metric_families(text) for each in family.samples
        ]
        assert [(each.name, set(each.labels), each.value) for each in samples] == [
            (prefix + metric.name, set(metric.labels), 3) for metric in table
        ]


@pytest.mark.parametrize(
    ("word", "shown"),
    (
        ('a"b\\c\nd{}', 'a"b\\c\nd{}'),
        ("\ud800 \udcff", "\\ud800 \\udcff"),
        ("\r\u2028\x00", "\r\u2028\x00"),
        ("\U0001f525" * 1000, "\U0001f525" * MOST_LABEL),
    ),
    ids=("quotes", "surrogates", "line ends of others", "long"),
)
def test_a_label_from_outside_is_one_label_that_has_an_end(word: str, shown: str) -> None:
    table = [fixed(Metric("x_total", "counter", "Help.", lambda _: (), "a, b"), word)]
    for text in answers("p_", table):
        assert text.count("\n") == 3
        text.encode()
        (family,) = text_string_to_metric_families(text)
        assert [each.labels for each in family.samples] == [{"a": shown, "b": shown}]


def test_two_metrics_of_one_name_are_a_mistake_of_ours() -> None:
    table = [fixed(Metric("x", "gauge", "Help.", lambda _: ()))]
    with pytest.raises(ValueError, match="p_x"):
        Metrics(Table("p_", table, lambda: None), Table("p_", table, lambda: None))


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
