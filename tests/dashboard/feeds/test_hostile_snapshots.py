"""The real page over a file in which somebody else wrote, too."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from aggregator.analytics.snapshot import to_json
from deploy.local.ports import free_port
from tests.dashboard.feeds.test_incoming import HOSTILE
from tests.dashboard.support.fleet import append, snapshot
from tests.dashboard.support.server import Dashboard, dashboard
from tests.support import await_true

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def get(place: Dashboard, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"{place.url}{path}", timeout=20) as answer:  # noqa: S310 our own
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def shown(place: Dashboard) -> int | None:
    found = json.loads(get(place, "api/snapshot")[1])["snapshot"]
    return None if found is None else int(found["batch_id"])


def test_what_cannot_be_shown_is_set_aside_and_the_page_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1, ago=9))
    good = to_json(snapshot(2))
    hostile = (
        (HOSTILE / "average-overflow.json").read_bytes().strip(),
        good.replace('"batch_id":2', '"batch_id":' + "2" * 5_000).encode(),
        good.replace('"query_id":"', '"query_id":"\\ud800').encode(),
        good.replace('"CA"', '"\\udfff"').encode(),
        good.replace('"window":{"average', '"\\ud800":{"average').encode(),
        good.replace('"total_messages":', '"total_messages":-').encode(),
        b"[" * 100_000,
        b"\xff\xfe",
        b"x" * (2 << 20),
    )
    with dashboard(file, "--stale-after", "10m") as page:
        await_true(lambda: shown(page) == 1, "the first")
        with file.open("ab") as out:
            out.writelines(line + b"\n" for line in hostile)

        def counted() -> bool:
            return f"isotherm_dashboard_broken_total {len(hostile)}.0\n" in get(page, "metrics")[1]

        await_true(counted, "all to be counted")
        status, why = get(page, "readyz")
        assert status == 503
        assert "the last record is no snapshot that can be shown" in why
        append(file, snapshot(3))
        await_true(lambda: shown(page) == 3, "the next good one")
        for path in ("readyz", "healthz", "api/history", "api/alerts"):
            assert get(page, path)[0] == 200
        page.stop()
        page.start()
        await_true(lambda: shown(page) == 3, "it again after a restart")
        await_true(counted, "all to be counted again")
        assert get(page, "api/history")[0] == 200
    said = capfd.readouterr().err
    assert said.count("no snapshot") == 2
    assert "task ended" not in said


def test_alerts_go_on_while_the_page_waits_for_its_address(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.jsonl"
    append(file, snapshot(1, ago=1000))
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    with socket.create_server(("127.0.0.1", 0)) as hook:
        hook.settimeout(60)
        url = f"http://127.0.0.1:{hook.getsockname()[1]}/"
        page = Dashboard(file, "--alert-webhook", url, "--token-file", str(token))
        # An address of RFC 5737, which no machine has.
        page.address = f"192.0.2.1:{free_port()}"
        page.launch()
        try:
            client, _ = hook.accept()
            client.close()
        finally:
            page.stop()
    said = capfd.readouterr().err
    assert said.count("cannot listen yet; tries again until it can address=192.0.2.1:") == 1
