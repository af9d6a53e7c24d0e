from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.monitoring.metrics import METRICS, PREFIX
from docs.write import DOCS, PAGES, configuration, contract, design, metrics, probes
from edge_agent.probes.driver import ProbeSettings
from edge_agent.probes.fault import Fault
from edge_agent.probes.registry import driver, driver_names
from isotherm.contract.fields import FIELDS, MAX_GUID_LENGTH, MAX_SEQ
from isotherm.contract.reasons import Reason
from isotherm.contract.verdict import MAX_BYTES, MAX_DEPTH
from isotherm.mqtt.topics import (
    ANALYTICS_SUFFIX,
    DEAD_LETTER_SUFFIX,
    KAFKA_READINGS,
    MARKS_SUFFIX,
    POSITIONS_SUFFIX,
    SHARDS,
    alert_topic,
    readings_topic,
    status_topic,
)
from isotherm.settings.table import rows
from tests.support.golden import cases

ROOT = Path(__file__).parents[2]
STALE = "stale; run: python -m docs.write"


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "contract.md").read_text(encoding="utf-8")


def test_the_configuration_page_is_up_to_date() -> None:
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == configuration(), STALE


def test_the_configuration_page_has_every_setting() -> None:
    for _, _, settings, prefix in PAGES:
        assert rows(settings)
        for row in rows(settings):
            assert row.variable(prefix) in configuration()


def test_every_metric_is_documented() -> None:
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == metrics(), STALE
    assert all(f"| `{PREFIX}{metric.name}` | {metric.kind} |" in metrics() for metric in METRICS)


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    page = (DOCS / "design.md").read_text(encoding="utf-8")
    assert page == design(page), STALE


def test_every_driver_and_each_of_its_keys_is_documented() -> None:
    page = (DOCS / "probes.md").read_text(encoding="utf-8")
    assert page == probes(page), STALE
    parts = re.split(r"^## ", page, flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0]: part for part in parts}
    for name in driver_names():
        assert name in sections, f"docs/probes.md has no section {name}"
        for row in rows(driver(name).settings):
            told = sections[name] if row not in rows(ProbeSettings) else parts[0]
            assert f"| `{row.key}` |" in told, f"docs/probes.md does not explain {name}.{row.key}"


def test_every_fault_is_documented() -> None:
    page = (DOCS / "probes.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Faults")
    assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")][
        : len(Fault)
    ] == list(Fault)


def test_the_program_on_the_page_of_probes_runs() -> None:
    page = (DOCS / "probes.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(compile(program, "docs/probes.md", "exec"), {})  # noqa: S102 it is our own page


def test_the_table_of_fields_is_up_to_date(page: str) -> None:
    assert page == contract(page), STALE
    assert all(f"| `{field.name}` |" in page for field in FIELDS)


def test_the_reasons_stand_in_the_order_in_which_they_are_looked_for(page: str) -> None:
    _, _, section = page.partition("## Why a record is not a reading")
    listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert listed[: len(Reason)] == list(Reason)


def test_the_limits_are_those_of_the_code(page: str) -> None:
    for limit in (MAX_BYTES, MAX_DEPTH, MAX_GUID_LENGTH, MAX_SEQ, SHARDS, len(cases())):
        assert f"{limit:,} " in page or f"{limit:,}," in page, limit


def test_the_topics_are_those_of_the_code(page: str) -> None:
    for suffix in ("", DEAD_LETTER_SUFFIX, ANALYTICS_SUFFIX, MARKS_SUFFIX, POSITIONS_SUFFIX):
        assert f"`{KAFKA_READINGS}{suffix}`" in page
    assert f"`{status_topic('DEVICE').replace('DEVICE', '<device>')}`" in page
    assert (
        f"`{alert_topic('NAME', 'STATE')}`".replace("NAME", "<name>").replace("STATE", "<state>")
        in page
    )
    prefix = readings_topic("DEVICE").rsplit("/", 2)[0]
    assert f"`{prefix}/<shard>/<device>`" in page


def test_contributing_is_short() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 160


def test_what_a_page_names_exists() -> None:
    """Relative links, and files of ours in backticks."""
    named = re.compile(r"\]\(([^)#:]+)\)|`((?:[a-z_]+/)+[a-z_0-9.]+\.[a-z]+)`")
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert len(pages) > 5
    for page in pages:
        for match in named.finditer(page.read_text(encoding="utf-8")):
            path = page.parent / match[1] if match[1] else ROOT / match[2]
            assert path.exists(), f"{page.name} names {match[1] or match[2]}"
