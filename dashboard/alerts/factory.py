"""From the settings to the running alerts."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboard.alerts import memory
from dashboard.alerts.engine import Engine
from dashboard.alerts.rules import Limits
from dashboard.alerts.service import Alerts
from dashboard.alerts.sinks.mqtt import AlertTopics, Login
from dashboard.alerts.sinks.webhook import HttpPost, Webhook
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.errors import SettingsError
from isotherm.settings.tls import client_context, read_secret

if TYPE_CHECKING:
    from dashboard.alerts.condition import Key
    from dashboard.alerts.notified import Told
    from dashboard.alerts.sinks.base import AlertSink
    from dashboard.settings import DashboardSettings
    from isotherm.log import Log
    from isotherm.tasks import Tasks

_HEADER_TEXT: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""RFC 9110, 5.5, without what is obsolete."""


def make_alerts(settings: DashboardSettings, log: Log, tasks: Tasks) -> Alerts:
    """Start the sinks, and begin with what was known before.

    Raises:
        SettingsError: a file cannot be used.
    """
    told = _remembered(settings)
    limits = Limits(
        hot=settings.hot,
        cold=settings.cold,
        margin=settings.margin,
        offline=settings.offline / 100,
        hold=_ns(settings.hold),
        stale=_ns(settings.stale_after),
    )
    known = [one.alert for one in told.values()]
    engine = Engine(limits, known=known, began=time.time_ns())
    # Of a rule that this version has no more nobody can say that it is over.
    told = {key: one for key, one in told.items() if key.name in engine.rules}
    repeat = _ns(settings.repeat)
    login = _login(settings)
    token = read_token(settings.webhook_token_file)
    sinks: list[AlertSink] = []
    if settings.webhook is not None:
        file = settings.state_file
        sinks.append(
            Webhook(
                HttpPost(settings.webhook, token),
                engine.rules,
                repeat=repeat,
                log=log,
                tasks=tasks,
                told=told,
                save=lambda now: None if file is None else memory.save(Path(file), now),
            )
        )
    if login is not None:
        sinks.append(AlertTopics(login, engine.rules, repeat=repeat, log=log, tasks=tasks))
    return Alerts(engine, sinks, log=log)


def read_token(path: str | None) -> str | None:
    """The webhook's token in a file; None where there is no file.

    Raises:
        SettingsError: it cannot be read, or holds what no header can.
    """
    key = "alerts.webhook_token_file"
    token = read_secret(key, path)
    if token is not None and not _HEADER_TEXT.fullmatch(token):
        fix = (
            "holds something else than one line of printable ASCII characters (without spaces "
            "around it), which no HTTP header can carry; write the token alone into it"
        )
        raise SettingsError(key, path, fix)
    return token


def _remembered(settings: DashboardSettings) -> dict[Key, Told]:
    if settings.state_file is None:
        return {}
    try:
        return memory.load(Path(settings.state_file))
    except (OSError, ValueError) as error:
        fix = f"cannot be used: {error}; name another, or delete it"
        raise SettingsError("alerts.state_file", settings.state_file, fix) from error


def _login(settings: DashboardSettings) -> Login | None:
    if settings.mqtt is None:
        return None
    return Login(
        settings.mqtt,
        settings.mqtt_username or settings.mqtt.username,
        read_secret("mqtt.password_file", settings.mqtt_password_file),
        client_context(settings.mqtt_tls) if settings.mqtt.scheme == "mqtts" else None,
    )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_SECOND)
