from __future__ import annotations

import socket

import pytest

from isotherm.http.request_check import HostNames, host_name, is_foreign, is_link
from isotherm.settings.address import host_names

EVIL = "rebound.example.com"


@pytest.mark.parametrize(
    ("header", "name"),
    (
        ("localhost:8787", "localhost"),
        ("LOCALHOST", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:9464", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("host.example.com.:80", "host.example.com"),
        ("", ""),
        ("[", ""),
    ),
)
def test_a_host_header_names_a_host(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize("header", ("localhost:1", "127.0.0.1", "[::1]:1", "10.1.2.3:9464", None))
def test_nobody_s_name_is_behind_an_address(header: str | None) -> None:
    assert HostNames("127.0.0.1").allow(header)
    assert HostNames("0.0.0.0").allow(header)  # noqa: S104 nothing listens here


@pytest.mark.parametrize(
    "header",
    (EVIL, f"{EVIL}:9464", "localhost.example.com", "127.0.0.1.example.com", "", "[", "x y"),
)
def test_another_name_that_points_here_is_not_answered(header: str) -> None:
    assert not HostNames("127.0.0.1").allow(header)
    if header != "x y":
        assert not HostNames("::").allow(header)


def test_names_that_the_public_dns_cannot_have_are_allowed_beyond_loopback_alone() -> None:
    for name in ("bridge", socket.gethostname()):
        assert HostNames("192.0.2.7").allow(f"{name}:9464")
        assert not HostNames("127.0.0.1").allow(f"{name}:9464")


def test_a_person_may_allow_a_name() -> None:
    allowed = host_names("Bridge.Example.com, other.example.com").split(",")
    names = HostNames("127.0.0.1", allowed)
    assert names.allow("bridge.example.com:9464")
    assert not names.allow(EVIL)
    assert not HostNames("127.0.0.1", [""]).allow("")


@pytest.mark.parametrize("value", ("", "http://host", "host:1", "a,,b", "a b", 3))
def test_what_is_no_name_of_a_host_is_said(value: object) -> None:
    with pytest.raises(ValueError, match="write"):
        host_names(value)


@pytest.mark.parametrize(
    ("headers", "foreign"),
    (
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        # Another port of this machine.
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "whatever"}, True),
        ({"origin": "http://127.0.0.1:1", "host": "127.0.0.1:1"}, False),
        ({"origin": "http://127.0.0.1:2", "host": "127.0.0.1:1"}, True),
        ({"origin": "null", "host": "127.0.0.1:1"}, True),
        ({"origin": "http://[", "host": "127.0.0.1:1"}, True),
        # Behind a proxy the browser knows better than the Host header.
        ({"sec-fetch-site": "same-origin", "origin": "https://a", "host": "127.0.0.1:1"}, False),
    ),
)
def test_a_page_of_somebody_else_is_known_by_what_the_browser_says(
    headers: dict[str, str], *, foreign: bool
) -> None:
    assert is_foreign(headers) is foreign


def test_a_link_is_followed_in_a_tab_of_its_own() -> None:
    assert is_link({"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"})
    assert not is_link({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"})
    assert not is_link({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"})
    assert not is_link({})
