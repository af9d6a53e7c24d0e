from __future__ import annotations

import asyncio
from typing import Any

from dashboard.feeds.base import Source
from dashboard.hub.hub import Hub
from dashboard.loop_tasks import keep_running
from dashboard.web.app import application
from dashboard.web.job_client import Job
from isotherm.backoff import Backoff
from isotherm.log import Log
from isotherm.tasks import Tasks

LOG = Log("test")


async def asked(app: Any, path: str) -> tuple[int, str]:
    """What an application answers to a GET."""
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "scheme": "http",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in said)
    return said[0]["status"], body.decode()


def test_a_task_that_ends_is_told_by_healthz_and_readyz_until_it_runs_again() -> None:
    tasks = Tasks(LOG)
    hub = Hub(Source(kind="file", name="s.jsonl", up=True, why=""), stale_after=10.0, log=LOG)
    app = application(hub, Job(None), stale_after=10.0, faults=tasks.faults)
    begun = 0
    ended, again = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            ended.set()
            raise RecursionError("hunter2")
        again.set()
        await asyncio.sleep(60)

    async def all_of_it() -> None:
        assert await asked(app, "/healthz") == (200, "ok\n")
        task = asyncio.create_task(keep_running(tasks, "alerts", run, Backoff(0.3, 0.3)))
        await ended.wait()
        for path in ("/healthz", "/readyz"):
            status, why = await asked(app, path)
            assert status == 503
            assert "the task alerts has ended (RecursionError at test_loop_tasks.py" in why
            assert "hunter2" not in why
        await again.wait()
        assert await asked(app, "/healthz") == (200, "ok\n")
        task.cancel()

    asyncio.run(asyncio.wait_for(all_of_it(), 30))
    assert tasks.ends == 1
