"""What is told to whom, and what is remembered of it."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema
import pytest

from dashboard.alerts.alert import FIRING, RESOLVED, Alert, encode, wire
from dashboard.alerts.condition import Key
from dashboard.alerts.notified import Notified, NotifiedFile, after, due
from dashboard.alerts.rules import Limits, rules

if TYPE_CHECKING:
    from pathlib import Path

H = 3600 * 10**9
AZ = Alert(key=Key("state-too-hot", "AZ"), since=5000, value=112.0)
TX = Alert(key=Key("state-too-hot", "TX"), since=6000, value=113.0)


def tell(
    told: dict[Key, Notified], firing: list[Alert], now: int
) -> tuple[list[str], dict[Key, Notified]]:
    said = []
    for notice in due(told, firing, now, 4 * H):
        said.append(f"{notice.alert.key.place} {notice.firing} {notice.again}")
        told = after(told, notice)
    return said, told


def test_what_begins_what_goes_on_and_what_is_over_is_told_once_each() -> None:
    said, told = tell({}, [AZ], H)
    assert said == ["AZ True False"]
    assert tell(told, [AZ], 2 * H)[0] == []
    said, told = tell(told, [AZ, TX], 5 * H)
    assert said == ["AZ True True", "TX True False"]
    said, told = tell(told, [AZ], 6 * H)
    assert said == ["TX False False"]
    assert set(told) == {AZ.key}


def test_an_alert_that_is_told_again_keeps_its_beginning() -> None:
    _, told = tell({}, [AZ], H)
    (notice,) = due(told, [AZ._replace(since=99, value=120.0)], 6 * H, 4 * H)
    assert (notice.alert.since, notice.alert.value) == (5000, 120.0)


@pytest.mark.parametrize("name", rules(Limits()))
@pytest.mark.parametrize("status", (FIRING, RESOLVED))
def test_every_message_is_as_its_schema_says(name: str, status: str) -> None:
    schema = json.loads(
        (resources.files("dashboard.alerts") / "alert.schema.json").read_text("utf-8")
    )
    alert = Alert(key=Key(name, "fleet"), since=1_800_000_000 * 10**9, value=0.25)
    message = wire(alert, rules(Limits())[name], status=status, at=H, again=False)
    jsonschema.validate(json.loads(encode(message)), schema)
    assert set(schema["properties"]["name"]["enum"]) == set(rules(Limits()))
    assert "{" not in message["summary"]


def test_a_file_remembers_what_was_told(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    assert NotifiedFile(file).of("webhook") == {}
    one, other = {AZ.key: Notified(AZ, 7000)}, {TX.key: Notified(TX, 8000)}
    kept = NotifiedFile(file)
    kept.save("webhook", one | other)
    kept.save("other", other)
    found = NotifiedFile(file)
    assert (found.of("webhook"), found.of("other"), found.of("new")) == (one | other, other, {})
    assert sorted(found.alerts({"webhook", "other"})) == sorted([AZ, TX])
    assert found.alerts({"other"}) == [TX]
    found.keep({"another-rule"})
    assert (found.of("webhook"), found.of("other")) == ({}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "told.json", tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "told.json.new").symlink_to(other)
    NotifiedFile(file).save("webhook", {AZ.key: Notified(AZ, 7000)})
    assert other.read_text() == "mine"
    assert NotifiedFile(file).of("webhook")
    assert file.stat().st_mode & 0o777 == 0o600


ROW = '{"schema": "isotherm.alerts-told/1", "told": [{"name": "state-too-hot", "state": "AZ", %s}]}'


def test_a_file_of_the_version_before_is_read_and_that_version_reads_ours(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    moments = '"value": 112.0, "since": "1970-01-01T00:00:00Z", "at": "1970-01-01T00:00:07Z"'
    file.write_text(ROW % moments)
    kept = NotifiedFile(file)
    assert kept.of("webhook")[AZ.key].at == 7 * 10**9
    kept.save("other", {TX.key: Notified(TX, 8000)})
    content = json.loads(file.read_text())
    assert [row["state"] for row in content["told"]] == ["AZ"]
    assert content["schema"] == "isotherm.alerts-told/1"


@pytest.mark.parametrize(
    "text",
    (
        "",
        "[]",
        '{"schema": "other"}',
        '{"schema": 3, "told": 1}',
        "[" * 100_000,
        ROW % ('"value": 1' + "0" * 400),
        ROW % '"value": null',
        ROW % '"value": 1, "since": 5',
        (ROW % '"value": 1').replace("AZ", "A/Z"),
        '{"schema": "isotherm.alerts-told/1", "told": [], "sinks": []}',
        '{"schema": "isotherm.alerts-told/1", "told": [], "sinks": {"x": [1]}}',
    ),
)
def test_another_file_is_not_taken_for_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "told.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        NotifiedFile(file)
