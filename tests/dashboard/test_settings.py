from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dashboard.alerts.sinks.webhook import WebhookSettings
from dashboard.errors import TokenError
from dashboard.settings import PREFIX, DashboardSettings
from dashboard.web.auth import read_token
from isotherm.errors import SettingsError
from isotherm.settings.table import load

if TYPE_CHECKING:
    from pathlib import Path


def settings(**flags: str) -> DashboardSettings:
    made = load(DashboardSettings, PREFIX, environ={}, flags=flags)
    made.check()
    return made


def hook_token(file: str | None) -> str | None:
    return WebhookSettings(webhook="https://host/", webhook_token_file=file).token()


@pytest.mark.parametrize("flags", ({}, {"kafka": "k:1", "snapshots": "s.jsonl"}))
def test_one_place_for_snapshots_has_to_be_named(flags: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="--kafka HOST:PORT or --snapshots FILE, and not both"):
        settings(**flags)


def test_tls_and_passwords_have_the_keys_and_checks_of_bridge_and_job() -> None:
    with pytest.raises(SettingsError, match=r"set kafka\.sasl_mechanism, kafka\.username"):
        settings(kafka="k:1", security_protocol="SASL_SSL")
    access = settings(kafka="k:1,k:2", security_protocol="SSL", kafka_ca_file="ca.pem").access
    assert (access.brokers, access.tls, access.ca_file) == ("k:1,k:2", True, "ca.pem")


@pytest.mark.parametrize("listen", ("127.0.0.1:1", "localhost:80", "[::1]:8787", "127.1.2.3:9"))
def test_on_loopback_nobody_needs_a_token(listen: str) -> None:
    assert settings(snapshots="s.jsonl", listen=listen).loopback


@pytest.mark.parametrize("listen", ("0.0.0.0:8787", "[::]:8787", "page.example:80", "10.0.0.1:1"))
def test_elsewhere_a_token_is_needed(listen: str) -> None:
    with pytest.raises(SettingsError, match="--token-file"):
        settings(snapshots="s.jsonl", listen=listen)
    assert not settings(snapshots="s.jsonl", listen=listen, token_file="t").loopback  # noqa: S106 a file's name


@pytest.mark.parametrize("job", ("HOST:9405", "ftp://h:1", "http://h:1/metrics", "http://"))
def test_the_address_of_the_job_is_that_of_a_server(job: str) -> None:
    with pytest.raises(SettingsError, match="http://HOST:PORT"):
        settings(snapshots="s.jsonl", job=job)


@pytest.mark.parametrize(
    "text", (b"", b"short\n", b"with;a;semicolon;in;it", b'with "quotes" in it', "ä".encode() * 20)
)
def test_a_token_that_keeps_nobody_out_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(text)
    with pytest.raises(TokenError, match="openssl rand -hex 24"):
        read_token(file)
    with pytest.raises(TokenError, match="No such file"):
        read_token(tmp_path / "other")


@pytest.mark.parametrize(
    "url",
    (
        "https://hooks.example.com/\u00e4-path-s3cret",
        "https://hooks.example.com/a path-s3cret",
        "https://hooks.example.com/path-s3cret\nX-Header: 1",
        "https://h\u00e4user.example.com/path-s3cret",
        "https://hooks.example.com:port/path-s3cret",
        "https://hooks.example.com:0/path-s3cret",
        "https://hooks.example.com:99999/path-s3cret",
        "https://[::1/path-s3cret",
        "https:///path-s3cret",
        "ftp://hooks.example.com/path-s3cret",
        "https://user@hooks.example.com/path-s3cret",
        "https://hooks.example.com/path-s3cret#part",
    ),
)
def test_a_webhook_that_cannot_be_asked_is_said_at_the_start_without_its_path(url: str) -> None:
    with pytest.raises(SettingsError, match=r"webhook = .*xn--") as caught:
        settings(snapshots="s.jsonl", webhook=url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    (
        b"hunter2\nhunter3",
        b"hunter2\n\n",
        b"hunter2\r\n\r\n",
        b" hunter2",
        b"hunter2 ",
        b"hunter2\0",
        "hunter2\u00e4".encode(),
        b"hunter2\xff",
    ),
)
def test_a_token_that_no_header_can_carry_is_said_at_the_start_and_not_printed(
    tmp_path: Path, text: bytes
) -> None:
    file = tmp_path / "token"
    file.write_bytes(text)
    with pytest.raises(SettingsError, match="webhook_token_file") as caught:
        hook_token(str(file))
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("text", (b"s3cret", b"s3cret\n", b"s3cret\r\n", b"two words"))
def test_a_token_may_end_its_line(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(text)
    assert hook_token(str(file)) == text.strip().decode()
    assert hook_token(None) is None
