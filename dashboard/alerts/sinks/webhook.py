"""The webhook: each notice is one POST of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboard.alerts.alert import FIRING, RESOLVED, encode, wire
from dashboard.alerts.sinks.base import AlertContext, AlertSinkKind, QueuedSink
from isotherm import VERSION
from isotherm.backoff import Backoff
from isotherm.http.client import ask
from isotherm.settings.address import http_receiver
from isotherm.settings.table import optional, setting, text
from isotherm.settings.tls import read_header_secret, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.alerts.notified import Notice
    from isotherm.backoff import Backoff

_TIMEOUT_S: Final = 10.0
_TOTAL_S: Final = 30.0
"""What a receiver may take in all, however little it says at a time."""


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """The rows of the webhook."""

    webhook: str | None = setting(
        "alerts.webhook",
        optional(http_receiver),
        default=None,
        flag="--alert-webhook",
        metavar="URL",
        help="Each alert that begins or ends is sent there by POST, as JSON.",
    )
    webhook_token_file: str | None = setting(
        "alerts.webhook_token_file",
        optional(text),
        default=None,
        help="A file with a secret that the webhook gets as a Bearer token.",
    )

    def __post_init__(self) -> None:
        if self.webhook is None and self.webhook_token_file:
            given = {"alerts.webhook_token_file": self.webhook_token_file}
            refuse(given, "has no effect without a webhook; set alerts.webhook too")

    def token(self) -> str | None:
        """The token; None where there is no file.

        Raises:
            SettingsError: the file cannot be used.
        """
        return read_header_secret("alerts.webhook_token_file", self.webhook_token_file)


class Webhook(QueuedSink):
    """Sends each notice to a receiver by POST; a redirect is an error, it would become a GET.

    Args:
        url: of the receiver.
        token: sent as a Bearer token; None for none.
        context: of the dashboard.
        backoff: how long to wait before another try.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        context: AlertContext,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._url = url
        self._headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"isotherm/{VERSION}",
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        super().__init__("webhook", self._post, context, backoff=backoff)

    def _post(self, notice: Notice) -> None:
        alert = notice.alert
        message = wire(
            alert,
            self._context.rules[alert.key.name],
            status=FIRING if notice.firing else RESOLVED,
            at=notice.at,
            again=notice.again,
        )
        body = encode(message)
        ask(self._url, body=body, headers=self._headers, timeout=_TIMEOUT_S, total=_TOTAL_S)


def make(settings: WebhookSettings, context: AlertContext) -> Sequence[Webhook]:
    """The webhook; none where it is not asked for."""
    if settings.webhook is None:
        return ()
    return (Webhook(settings.webhook, settings.token(), context),)


SINKS: Final = (
    AlertSinkKind(
        "webhook",
        WebhookSettings,
        make,
        check=WebhookSettings.token,
        remembers=lambda settings: settings.webhook is not None,
    ),
)
