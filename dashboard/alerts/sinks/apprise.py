"""Apprise: each alert as a short text to mail, Slack, ntfy and a hundred more services.

Needs `pip install 'isotherm[apprise]'` (https://github.com/caronc/apprise, BSD-2-Clause).

Each message is sent by a process of its own, which is killed after a deadline: Apprise blocks,
takes answers of any length into memory, and needs 45 MB that the page can do without. That costs
a second of CPU for each message.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboard.alerts.alert import FIRING, RESOLVED, wire
from dashboard.alerts.rules import CRITICAL
from dashboard.alerts.sinks.base import AlertContext, AlertSinkKind, QueuedSink
from isotherm.contract.foreign_json import decode_object
from isotherm.errors import SettingsError
from isotherm.http.client import RefusedError
from isotherm.settings.table import optional, setting, text
from isotherm.settings.tls import read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.alerts.notified import Notice
    from isotherm.backoff import Backoff

KEY: Final = "alerts.apprise_urls_file"
_MOST_URLS: Final = 20
"""Each has a thread and a queue."""
_TOTAL_S: Final = 30.0
"""What a message may take in all."""
_MEMORY: Final = 1 << 30
"""Bytes of address space of the process that sends; Apprise has some 300 MB of it."""
_ANSWER: Final = 4096
_CODE: Final = re.compile(r"\berror=([1-5][0-9]{2})\b")
"""How Apprise logs the HTTP status of a refusal."""


@dataclass(frozen=True, kw_only=True)
class AppriseSettings:
    """The rows of Apprise."""

    apprise_urls_file: str | None = setting(
        KEY,
        optional(text),
        default=None,
        flag="--alert-apprise",
        metavar="FILE",
        help="A file with addresses for Apprise, one in a line, such as ntfys://TOPIC or "
        "mailto://USER:PASSWORD@HOST: each alert goes there as text. Only its owner may open it; "
        "needs isotherm[apprise].",
    )

    def urls(self) -> list[str]:
        """The addresses, each of which Apprise understands; none where there is no file.

        Raises:
            SettingsError: the package is missing, or the file cannot be used. No address is in it.
        """
        path = self.apprise_urls_file
        found = read_secret(KEY, path, private=True)
        if found is None:
            return []
        if importlib.util.find_spec("apprise") is None:
            fix = "needs the package apprise; pip install 'isotherm[apprise]'"
            raise SettingsError(KEY, path, fix)
        lines = [(number, line.strip()) for number, line in enumerate(found.splitlines(), start=1)]
        urls = [(number, line) for number, line in lines if line and not line.startswith("#")]
        if not 1 <= len(urls) <= _MOST_URLS:
            raise SettingsError(KEY, path, f"has {len(urls)} addresses; write 1 to {_MOST_URLS}")
        try:
            answer = _ask({"check": [url for _number, url in urls]})
            wrong = [urls[place][0] for place in answer["wrong"]]
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise SettingsError(KEY, path, "cannot be checked: Apprise does not run") from error
        if wrong:
            fix = f"line {wrong[0]} is no address that Apprise knows; `apprise --details` lists all"
            raise SettingsError(KEY, path, fix)
        return [url for _number, url in urls]


class AppriseSink(QueuedSink):
    """Sends each notice to one address; see `QueuedSink` for order, retries and bounds.

    Args:
        name: for log and metrics.
        url: for Apprise; a secret.
        context: of the dashboard.
        backoff: how long to wait before another try.
    """

    def __init__(
        self, name: str, url: str, context: AlertContext, *, backoff: Backoff | None = None
    ) -> None:
        self._url = url
        super().__init__(name, self._send, context, backoff=backoff)

    def _send(self, notice: Notice) -> None:
        alert = notice.alert
        rule = self._context.rules[alert.key.name]
        status = FIRING if notice.firing else RESOLVED
        said = wire(alert, rule, status=status, at=notice.at, again=notice.again)
        kind = "failure" if rule.severity == CRITICAL else "warning"
        message = {
            "url": self._url,
            "title": f"{status}: {said['name']} {said['state']}",
            "body": f"{said['summary']}\nsince {said['since']}\n{said['help']}",
            "notify_type": kind if notice.firing else "success",
        }
        answer = _ask(message)
        if answer.get("ok") is True:
            return
        code = answer.get("code")
        raise RefusedError(code) if isinstance(code, int) else ConnectionError("not delivered")


def make(settings: AppriseSettings, context: AlertContext) -> Sequence[AppriseSink]:
    """A sink for each address; the first is `apprise`, the second `apprise-2`."""
    return [
        AppriseSink("apprise" if number == 1 else f"apprise-{number}", url, context)
        for number, url in enumerate(settings.urls(), start=1)
    ]


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    """Have a process of its own do it.

    Raises:
        OSError: it could not be started, or took too long.
        ValueError: it ended without an answer.
    """
    command = [sys.executable, "-P", "-c", f"from {__name__} import work; work()"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=_TOTAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # Its own words hold the command; and its cause the request.
        raise TimeoutError(f"no whole answer within {_TOTAL_S:g} s") from None
    return decode_object(done.stdout, max_bytes=_ANSWER)


def work() -> None:
    """In a process of its own: read a request from stdin, do it, answer on stdout."""
    # It ends, also where the page is gone.
    signal.alarm(int(_TOTAL_S) + 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answer = os.dup(1)
    os.dup2(2, 1)
    result = _work(json.load(sys.stdin.buffer))
    os.write(answer, json.dumps(result).encode())
    # What Apprise has begun is not waited for.
    os._exit(0)


def _work(request: dict[str, Any]) -> dict[str, Any]:
    import apprise  # noqa: PLC0415 only in a process of its own

    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("apprise").addHandler(handler)
    asset = apprise.AppriseAsset(
        app_id="isotherm", app_desc="isotherm", async_mode=False, http_redirects=False
    )
    if "check" in request:
        made = [apprise.Apprise.instantiate(url, asset=asset) for url in request["check"]]
        return {"wrong": [place for place, one in enumerate(made) if one is None]}
    service = apprise.Apprise(asset=asset)
    service.add(request["url"])
    ok = service.notify(
        title=request["title"],
        body=request["body"],
        notify_type=apprise.NotifyType(request["notify_type"]),
        body_format=apprise.NotifyFormat.TEXT,
    )
    codes = [found[1] for line in said if (found := _CODE.search(line))]
    return {"ok": bool(ok), "code": int(codes[-1]) if codes else None}


SINKS: Final = (
    AlertSinkKind(
        "apprise",
        AppriseSettings,
        make,
        check=AppriseSettings.urls,
        remembers=lambda settings: settings.apprise_urls_file is not None,
    ),
)
