from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import pytest

from bridge.settings import BridgeSettings
from isotherm.errors import EXIT_USAGE, SettingsError
from isotherm.settings.table import (
    boolean,
    choice,
    duration,
    load,
    markdown,
    option,
    optional,
    parts,
    read_file,
    rows,
    sample,
    setting,
    several,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PREFIX = "ISOTHERM_KETTLE"


@dataclass(frozen=True, kw_only=True)
class KettleSettings:
    url: str = setting(
        "mqtt.url", text, default="mqtt://127.0.0.1", flag="--mqtt", metavar="URL", help="Broker."
    )
    password_file: str | None = setting(
        "mqtt.password_file", optional(text), default=None, help="File with the password."
    )
    rate: int = setting("boil.rate", whole(1, 100), default=5, flag="--rate", help="Cups a minute.")
    lids: tuple[str, ...] = setting(
        "boil.lids",
        several(text),
        default=["a", 'b"\\'],
        flag="--lid",
        many=True,
        help="Lids | covers.",
    )
    hot: bool = setting("boil.hot", boolean, default=True, help="Whether to boil.")
    pause: float = setting("boil.pause", duration, default="500ms", help="Between two cups.")
    mode: str = setting("boil.mode", choice("slow", "fast"), default="slow", help="How.")


@dataclass(frozen=True, kw_only=True)
class TrayPart:
    tray: str | None = setting("mqtt.tray", optional(text), default=None, help="Of tea.")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(KettleSettings):
    extras: Mapping[str, Any] = parts({"tray": TrayPart})


@dataclass(frozen=True, kw_only=True)
class CupSettings:
    name: str = setting("name", text, help="Whose cup.")
    size: int = setting("size", whole(1, 9), default=3, help="How big.")
    extra: str = ""


def refused(**sources: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(KettleSettings, PREFIX, **sources)
    return caught.value


def test_defaults() -> None:
    assert load(KettleSettings, PREFIX) == KettleSettings(
        url="mqtt://127.0.0.1",
        password_file=None,
        rate=5,
        lids=("a", 'b"\\'),
        hot=True,
        pause=0.5,
        mode="slow",
    )


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default() -> None:
    file = {"boil": {"rate": 10}}
    environ = {"ISOTHERM_KETTLE_BOIL_RATE": "20", "PATH": "/bin", "ISOTHERM_BRIDGE_X": "1"}
    assert load(KettleSettings, PREFIX).rate == 5
    assert load(KettleSettings, PREFIX, file=file).rate == 10
    assert load(KettleSettings, PREFIX, file=file, environ=environ).rate == 20
    assert load(KettleSettings, PREFIX, file=file, environ=environ, flags={"rate": "30"}).rate == 30


def test_flags_that_were_not_given_decide_nothing() -> None:
    environ = {"ISOTHERM_KETTLE_BOIL_LIDS": "x, y", "ISOTHERM_KETTLE_BOIL_RATE": "7"}
    found = load(KettleSettings, PREFIX, environ=environ, flags={"lids": (), "rate": None})
    assert (found.lids, found.rate) == (("x", "y"), 7)
    assert load(KettleSettings, PREFIX, environ=environ, flags={"lids": ("z",)}).lids == ("z",)


@pytest.mark.parametrize(
    ("file", "key", "near"),
    (
        ({"boil": {"rat": 5}}, "boil.rat", "boil.rate"),
        ({"boill": {"rate": 5}}, "boill.rate", "boil.rate"),
        ({"rate": 5}, "rate", "boil.rate"),
        ({"mqtt": {"urls": {"a": 1}}}, "mqtt.urls", "mqtt.url"),
    ),
)
def test_an_unknown_key_is_refused_with_the_nearest(
    file: dict[str, Any], key: str, near: str
) -> None:
    error = refused(file=file)
    assert error.key == key
    assert str(error).endswith(f"is not a setting; did you mean {near}?")


@pytest.mark.parametrize("file", ({"xyzzy": {}}, {"xyzzy": 1}, {"xyzzy": {"q": 1}}, {"mqtt": 1}))
def test_an_unknown_key_like_no_other_is_refused_too(file: dict[str, Any]) -> None:
    assert refused(file=file).fix.startswith("is not a setting")


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    error = refused(environ={"ISOTHERM_KETTLE_BOIL_RATTE": "5"})
    assert str(error) == (
        "ISOTHERM_KETTLE_BOIL_RATTE = '5': is not a setting; "
        "did you mean ISOTHERM_KETTLE_BOIL_RATE?"
    )


@pytest.mark.parametrize(
    ("sources", "key"),
    (
        ({"file": {"boil": {"rate": 0}}}, "boil.rate"),
        ({"environ": {"ISOTHERM_KETTLE_BOIL_RATE": "0"}}, "ISOTHERM_KETTLE_BOIL_RATE"),
        ({"flags": {"rate": "0"}}, "--rate"),
    ),
)
def test_a_message_names_the_key_as_the_person_wrote_it_the_value_and_the_fix(
    sources: dict[str, Any], key: str
) -> None:
    error = refused(**sources)
    shown = "0" if "file" in sources else "'0'"
    assert str(error) == f"{key} = {shown}: write a whole number from 1 to 100"
    assert error.exit_code == EXIT_USAGE
    assert not error.retriable


def test_a_required_key_is_asked_for_with_its_place() -> None:
    with pytest.raises(SettingsError) as caught:
        load(CupSettings, PREFIX, where="cup[2].")
    assert str(caught.value) == "cup[2].name is not set: is required. Whose cup."


def test_rows_without_a_section_and_fields_that_are_no_settings() -> None:
    found = load(CupSettings, PREFIX, file={"name": "Ann"}, where="cup[1].", extra="x")
    assert found == CupSettings(name="Ann", size=3, extra="x")
    with pytest.raises(SettingsError, match=r"^cup\[1\].sise = 4: .* did you mean size\?$"):
        load(CupSettings, PREFIX, file={"name": "Ann", "sise": 4}, where="cup[1].")


@pytest.mark.parametrize(
    "sources",
    (
        {"file": {"mqtt": {"password": "s3cret"}}},
        {"environ": {"ISOTHERM_KETTLE_MQTT_PASSWORD": "s3cret"}},
        {"file": {"boil": {"mode": "mqtt://ann:s3cret@broker"}}},
        {"file": {"boil": {"mode": "ann:s3cret@broker:9092"}}},
        {"file": {"boil": {"mode": ["mqtt://ann:s3@s3cret@broker"]}}},
    ),
)
def test_a_message_never_repeats_a_password(sources: dict[str, Any]) -> None:
    assert "s3cret" not in str(refused(**sources))


def test_a_message_shows_an_address_without_a_password_as_it_is() -> None:
    assert "'mqtt://ann@broker:1883'" in str(
        refused(file={"boil": {"mode": "mqtt://ann@broker:1883"}})
    )


@pytest.mark.parametrize("cls", (KettleSettings, ServiceSettings, BridgeSettings))
def test_the_sample_parses_back_to_the_defaults(cls: type) -> None:
    written = sample(cls, title="kettle.toml")
    assert load(cls, PREFIX, file=tomllib.loads(written)) == load(cls, PREFIX)
    assert written.startswith("# kettle.toml\n")
    for row in rows(cls):
        assert f"# {row.help}\n" in written
        assert f"{row.key.rpartition('.')[2]} =" in written


@dataclass(frozen=True, kw_only=True)
class ShuffledSettings:
    """Rows of one section apart from each other, as where two tables are put together."""

    url: str = setting("mqtt.url", text, default="a", help="Whose.")
    topic: str = setting("kafka.topic", text, default="b", help="Which.")
    window: str = setting("mqtt.window", text, default="c", help="How many.")
    name: str = setting("name", text, default="d", help="No section.")


def test_a_section_is_in_the_sample_once_wherever_its_rows_are() -> None:
    written = sample(ShuffledSettings, title="shuffled.toml")
    assert tomllib.loads(written) == {
        "name": "d",
        "mqtt": {"url": "a", "window": "c"},
        "kafka": {"topic": "b"},
    }
    assert load(ShuffledSettings, PREFIX, file=tomllib.loads(written)) == load(
        ShuffledSettings, PREFIX
    )


@dataclass(frozen=True, kw_only=True)
class LouderSettings(KettleSettings):
    """One row more than `KettleSettings`: all that CONTRIBUTING's "to add a setting" asks for."""

    whistle: int = setting(
        "boil.whistle", whole(0, 120), default=80, help="Decibels.", flag="--whistle"
    )


def test_a_setting_is_one_row() -> None:
    variable = "ISOTHERM_KETTLE_BOIL_WHISTLE"
    assert load(LouderSettings, PREFIX).whistle == 80
    assert load(LouderSettings, PREFIX, file={"boil": {"whistle": 1}}).whistle == 1
    assert load(LouderSettings, PREFIX, environ={variable: "2"}).whistle == 2
    assert load(LouderSettings, PREFIX, flags={"whistle": "3"}).whistle == 3
    with pytest.raises(SettingsError, match=r"^boil\.whistle = 121: .* 0 to 120"):
        load(LouderSettings, PREFIX, file={"boil": {"whistle": 121}})
    by_name = {row.name: row for row in rows(LouderSettings)}
    names, keywords = option(by_name["whistle"], PREFIX)
    assert names == ("--whistle", "whistle")
    assert keywords["help"] == f"Decibels. [{variable}]  [default: 80]"
    written = sample(LouderSettings, title="louder.toml")
    assert tomllib.loads(written)["boil"]["whistle"] == 80
    assert "# Decibels.\nwhistle = 80\n" in written
    row = f"| `boil.whistle` | `--whistle` | `{variable}` | `80` | Decibels. |"
    assert row in markdown(LouderSettings, PREFIX)


def test_a_required_key_stands_in_the_sample_as_a_comment() -> None:
    assert "# Whose cup.\n# name =\n" in sample(CupSettings, title="cup")


@pytest.mark.parametrize("cls", (KettleSettings, ServiceSettings, BridgeSettings, CupSettings))
def test_the_table_for_the_docs_has_a_row_for_every_setting(cls: type) -> None:
    head, rule, *lines = markdown(cls, PREFIX).splitlines()
    assert len(lines) == len(rows(cls)) > 0
    for row, line in zip(rows(cls), lines, strict=True):
        assert line.startswith(f"| `{row.key}` |")
        assert f"`{row.variable(PREFIX)}`" in line
        assert row.flag is None or f"`{row.flag}`" in line
        assert line.replace("\\|", "").count("|") == head.count("|") == rule.count("|")


def test_every_field_of_the_bridge_is_a_row() -> None:
    assert [row.name for row in rows(BridgeSettings)] == [f.name for f in fields(BridgeSettings)]
    assert len({row.key for row in rows(BridgeSettings)}) == len(rows(BridgeSettings))


def test_the_rows_of_a_part_are_rows_of_the_table() -> None:
    def tray(**sources: Any) -> str | None:
        found: str | None = load(ServiceSettings, PREFIX, **sources).extras["tray"].tray
        return found

    assert tray() is None
    assert tray(file={"mqtt": {"tray": "oak"}}) == "oak"
    assert tray(environ={f"{PREFIX}_MQTT_TRAY": "oak"}, file={"mqtt": {"tray": "x"}}) == "oak"
    assert tray(flags={"tray": "oak"}) == "oak"
    with pytest.raises(SettingsError, match=r"mqtt\.tray = 3"):
        tray(file={"mqtt": {"tray": 3}})


def test_a_part_may_add_to_a_section_which_the_sample_has_once() -> None:
    assert sample(ServiceSettings, title="x").count("[mqtt]") == 1


def test_help_names_the_default_and_the_variable() -> None:
    by_name = {row.name: row for row in rows(KettleSettings)}
    names, keywords = option(by_name["lids"], PREFIX)
    assert names == ("--lid", "lids")
    assert keywords["multiple"]
    assert keywords["help"] == ('Lids | covers. [ISOTHERM_KETTLE_BOIL_LIDS]  [default: a, b"\\]')


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--config = .*none.toml': cannot be read: No such"):
        read_file(tmp_path / "none.toml")


@pytest.mark.parametrize("content", (b"[mqtt", b"a = 1\na = 2\n", b"a = '\xff'", b"\xff\xfea\0"))
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kettle.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not valid TOML"):
        read_file(path)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kettle.toml"
    path.write_text(sample(KettleSettings, title="x").replace("rate = 5", "rate = 6"), "utf-8")
    assert load(KettleSettings, PREFIX, file=read_file(path)).rate == 6
