"""Snapshots by HTTP: each is one POST of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aggregator.analytics.snapshot import to_json
from aggregator.errors import SinkError
from aggregator.sinks.base import SinkContext, SinkKind
from isotherm import VERSION
from isotherm.http.client import ask, why
from isotherm.settings.address import http_receiver
from isotherm.settings.table import optional, setting, span, text
from isotherm.settings.tls import read_header_secret, refuse

if TYPE_CHECKING:
    from aggregator.analytics.snapshot import Snapshot

_TOKEN_FILE: Final = "output.webhook_token_file"  # noqa: S105 a key, no secret


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """The rows of the webhook."""

    webhook: str | None = setting(
        "output.webhook",
        optional(http_receiver),
        default=None,
        flag="--webhook",
        metavar="URL",
        help="Send each snapshot there by POST, as JSON.",
    )
    webhook_token_file: str | None = setting(
        _TOKEN_FILE,
        optional(text),
        default=None,
        help="A file with a secret that the webhook gets as a Bearer token; only its owner may "
        "open it.",
    )
    webhook_timeout: float = setting(
        "output.webhook_timeout",
        span(0.1, 60),
        default="5s",
        help="How long one POST may take in all, the answer included.",
    )

    def __post_init__(self) -> None:
        if self.webhook is None and self.webhook_token_file:
            given = {_TOKEN_FILE: self.webhook_token_file}
            refuse(given, "has no effect without a webhook; set output.webhook too")


class WebhookSink:
    """Sends each snapshot to a receiver; a redirect is an error, it would become a GET.

    Args:
        url: of the receiver.
        token: sent as a Bearer token; None for none.
        timeout: of one POST, seconds.
    """

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"isotherm/{VERSION}",
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def emit(self, snapshot: Snapshot) -> None:
        """Send it, and wait for the answer.

        Raises:
            SinkError: the receiver does not take it within the time.
        """
        headers = {**self._headers, "Idempotency-Key": f'"{key(snapshot)}"'}
        body = to_json(snapshot).encode()
        try:
            ask(self._url, body=body, headers=headers, timeout=self._timeout, total=self._timeout)
        except Exception as error:
            raise SinkError(f"--webhook: {why(error)}") from error

    def close(self) -> None:
        """Nothing is open between two snapshots."""


def key(snapshot: Snapshot) -> str:
    """What tells a batch that comes again after a crash from the next one.

    An idle trigger has the number of the last batch, so its end tells it apart.
    """
    batch = "-" if snapshot.batch_id is None else snapshot.batch_id
    idle = f"/{snapshot.end}" if snapshot.idle else ""
    return f"{snapshot.query_id}/{batch}{idle}"


def make(settings: WebhookSettings, _context: SinkContext) -> WebhookSink | None:
    """The webhook; None where it is not asked for."""
    if settings.webhook is None:
        return None
    token = read_header_secret(_TOKEN_FILE, settings.webhook_token_file, private=True)
    return WebhookSink(settings.webhook, token, settings.webhook_timeout)


SINKS: Final = (
    SinkKind(
        "webhook",
        WebhookSettings,
        make,
        secrets=lambda settings: {_TOKEN_FILE: settings.webhook_token_file},
    ),
)
