from __future__ import annotations

import pytest

from bridge.settings import BridgeSettings
from dashboard.settings import DashboardSettings
from edge_agent.settings.agent import AgentSettings
from edge_agent.settings.tools import ReplaySettings
from isotherm.mqtt.settings import ROWS, mqtt_setting, mqtt_url
from isotherm.settings.table import REQUIRED, rows

PROGRAMS = (AgentSettings, ReplaySettings, BridgeSettings, DashboardSettings)
FILES = tuple(name for name in ROWS if name != "url")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_the_same_rows_for_its_mqtt_broker(program: type) -> None:
    found = {row.key: row for row in rows(program)}
    assert {f"mqtt.{name}" for name in ROWS} <= found.keys()
    for name in FILES:
        row = found[f"mqtt.{name}"]
        assert (row.help, row.default, row.parse(None)) == (ROWS[name].help, None, None)
        assert row.flag in (None, f"--{name.replace('_', '-')}")


def test_a_row_may_differ_where_the_program_says_so() -> None:
    facts = mqtt_setting("url", flag="--to", default="mqtt://h", help="Where to.").metadata[
        "setting"
    ]
    assert facts["key"] == "mqtt.url"
    assert (facts["flag"], facts["metavar"]) == ("--to", "URL")
    assert (facts["default"], facts["help"]) == ("mqtt://h", "Where to.")
    assert mqtt_setting("url").metadata["setting"]["default"] is REQUIRED
    assert mqtt_setting("username").metadata["setting"]["metavar"] is None


@pytest.mark.parametrize(
    ("text", "port", "username"),
    (("mqtt://h", 1883, None), ("mqtts://u@h", 8883, "u"), ("mqtt://[::1]:7", 7, None)),
)
def test_the_url_of_a_broker(text: str, port: int, username: str | None) -> None:
    found = mqtt_url(text)
    assert (found.port, found.username) == (port, username)


@pytest.mark.parametrize("text", ("http://h", "h:1883", "mqtt://u:secret@h", "mqtt://h/path", 7))
def test_what_is_no_url_of_a_broker(text: object) -> None:
    with pytest.raises(ValueError, match=r"mqtt://|password|write") as caught:
        mqtt_url(text)
    assert "secret" not in str(caught.value)
