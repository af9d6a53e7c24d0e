from __future__ import annotations

from pathlib import Path

import pytest

from contract.fields import FIELDS, MAX_GUID_LENGTH, MAX_SEQ
from contract.reasons import Reason
from contract.settings import rows
from contract.topics import (
    ANALYTICS_SUFFIX,
    DEAD_LETTER_SUFFIX,
    KAFKA_READINGS,
    POSITIONS_SUFFIX,
    SHARDS,
    readings_topic,
    status_topic,
)
from contract.verdict import MAX_BYTES, MAX_DEPTH
from docs.write import DOCS, PAGES, configuration, contract
from tests.golden import cases

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
    for suffix in ("", DEAD_LETTER_SUFFIX, ANALYTICS_SUFFIX, POSITIONS_SUFFIX):
        assert f"`{KAFKA_READINGS}{suffix}`" in page
    assert f"`{status_topic('DEVICE').replace('DEVICE', '<device>')}`" in page
    prefix = readings_topic("DEVICE").rsplit("/", 2)[0]
    assert f"`{prefix}/<shard>/<device>`" in page


def test_contributing_is_short() -> None:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
