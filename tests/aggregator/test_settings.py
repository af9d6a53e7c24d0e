import tomllib
from pathlib import Path
from typing import Any

import pytest

from aggregator.analytics.scopes import Sliding
from aggregator.analytics.spans import interval
from aggregator.settings import PREFIX, AggregatorSettings
from isotherm.contract import SettingsError
from isotherm.settings.table import load, sample

LEAST = {"kafka": "127.0.0.1:9092", "checkpoint": "state/ck"}


def loaded(**flags: Any) -> AggregatorSettings:
    return load(AggregatorSettings, PREFIX, flags=LEAST | flags)


@pytest.mark.parametrize(
    ("text", "seconds"),
    (
        ("3 seconds", 3.0),
        ("3s", 3.0),
        ("1 second", 1.0),
        ("500 milliseconds", 0.5),
        ("500ms", 0.5),
        ("2 minutes", 120.0),
        (" 1 hour ", 3600.0),
        ("1.5s", 1.5),
    ),
)
def test_a_trigger_is_written_as_spark_has_it_or_short(text: str, seconds: float) -> None:
    assert interval(text) == seconds


@pytest.mark.parametrize(
    "text", ("3", "", "0 seconds", "-1s", "three seconds", "3 weeks", "0.1ms", 3)
)
def test_a_trigger_that_is_no_time_span_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write a time span"):
        interval(text)


def test_defaults() -> None:
    settings = loaded()
    assert (settings.topic, settings.trigger, settings.scopes) == ("iotmsgs", 3.0, ("window",))
    assert (settings.starting_offsets, settings.available_now) == ("earliest", False)


def test_several_brokers_are_several_addresses() -> None:
    assert loaded(kafka="a:1, b:2").kafka == "a:1,b:2"
    with pytest.raises(SettingsError, match="--kafka"):
        loaded(kafka="a:1,b")


def test_scopes() -> None:
    assert loaded(scope="both").scopes == ("window", "since_start")
    assert loaded(scope="since_start").scopes == ("since_start",)
    assert loaded(scope="window").sliding is None


def test_several_scopes_stand_in_the_order_in_which_people_read_them() -> None:
    settings = loaded(scope="event:5m, both", watermark="2s", future="30s")
    assert settings.scopes == ("window", "since_start", "event")
    assert settings.sliding == Sliding(span=300, delay=2.0, future=30.0)


@pytest.mark.parametrize(
    ("text", "fix"),
    (
        ("event", "such as event:5m"),
        ("event:5", "such as event:5m"),
        ("event:1500ms", "in whole seconds"),
        ("event:301s", "in whole minutes above 5"),
        ("event:1m,event:2m", "one event window"),
        ("window:5m", "window, since_start or event:SPAN"),
        ("all", "window, since_start or event:SPAN"),
        ("window,", "window, since_start or event:SPAN"),
    ),
)
def test_a_scope_that_is_none_is_refused_with_the_way_out(text: str, fix: str) -> None:
    with pytest.raises(SettingsError, match=fix):
        loaded(scope=text)


@pytest.mark.parametrize(
    ("span", "step"), ((1, 1), (7, 1), (299, 1), (300, 1), (360, 2), (3600, 12), (86_400, 288))
)
def test_an_event_window_slides_by_whole_steps(span: int, step: int) -> None:
    assert Sliding(span=span, delay=10, future=60).step == step


def test_the_ledger_lies_beside_the_checkpoint() -> None:
    assert loaded().ledger_file == Path("state/ck.ledger.duckdb")
    assert loaded(checkpoint="file:///a/ck/").ledger_file == Path("/a/ck.ledger.duckdb")
    assert loaded(ledger="x.duckdb").ledger_file == Path("x.duckdb")


def test_a_remote_checkpoint_needs_a_place_for_the_ledger() -> None:
    settings = loaded(checkpoint="s3a://bucket/ck")
    assert settings.checkpoint_folder is None
    with pytest.raises(SettingsError, match="--ledger"):
        _ = settings.ledger_file


def test_the_sample_file_is_valid_once_the_required_are_filled_in() -> None:
    text = sample(AggregatorSettings, title="isotherm-aggregator")
    assert load(AggregatorSettings, PREFIX, file=tomllib.loads(text), flags=LEAST) == loaded()
