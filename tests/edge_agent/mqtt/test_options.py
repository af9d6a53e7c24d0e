from __future__ import annotations

import sys

import pytest

from edge_agent.errors import MissingExtraError
from edge_agent.mqtt.options import check, check_files, connect
from edge_agent.settings.tools import REPLAY_PREFIX, ReplaySettings
from isotherm.errors import SettingsError
from isotherm.settings.address import Address
from isotherm.settings.table import load


def _settings(**flags: object) -> ReplaySettings:
    return load(ReplaySettings, REPLAY_PREFIX, flags={"mqtt": "mqtt://h", **flags})


def test_a_proxy_without_pysocks_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(proxy="http://p")
    check_files(settings)
    monkeypatch.setitem(sys.modules, "socks", None)
    with pytest.raises(SettingsError, match=r"mqtt\.proxy.*PySocks.*isotherm\[proxy\]"):
        check_files(settings)


def test_without_paho_a_connection_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "paho"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("client", "paho_client"):
        monkeypatch.delitem(sys.modules, f"edge_agent.mqtt.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"paho-mqtt.*isotherm\[agent\]"):
        connect(_settings(), client_id="c")


@pytest.mark.parametrize(
    ("url", "address"),
    (
        ("ws://h", Address("ws", "h", 80)),
        ("wss://u@h/mqtt", Address("wss", "h", 443, "u", "/mqtt")),
        ("ws://[::1]:8080/a/b@c", Address("ws", "::1", 8080, None, "/a/b@c")),
    ),
)
def test_an_address_of_websockets_has_a_path(url: str, address: Address) -> None:
    settings = _settings(mqtt=url)
    assert settings.mqtt == address
    again = _settings(mqtt=str(address)).mqtt
    assert again == address


@pytest.mark.parametrize(
    "url", ("mqtt://h/mqtt", "ws://h/a b", "ws://h/a?token=1", "ws://h/a\r\nX: y")
)
def test_no_other_address_has_one_and_no_path_breaks_a_request(url: str) -> None:
    with pytest.raises(SettingsError):
        _settings(mqtt=url)


def test_a_proxy_has_no_password_in_its_address() -> None:
    with pytest.raises(SettingsError, match="not supported"):
        _settings(proxy="http://user@p")


def test_certificates_go_with_both_schemes_of_tls() -> None:
    for scheme in ("mqtts", "wss"):
        check(_settings(mqtt=f"{scheme}://h", ca_file="ca.pem"))
    for scheme in ("mqtt", "ws"):
        with pytest.raises(SettingsError, match="without TLS"):
            check(_settings(mqtt=f"{scheme}://h", ca_file="ca.pem"))
