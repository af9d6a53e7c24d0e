"""From the settings to the running alerts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.alerts.engine import Engine
from dashboard.alerts.notified import NotifiedFile
from dashboard.alerts.rules import Limits, rules
from dashboard.alerts.service import Alerts
from dashboard.alerts.sinks.base import AlertContext
from dashboard.alerts.sinks.registry import kinds
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.errors import SettingsError

if TYPE_CHECKING:
    from dashboard.settings import DashboardSettings
    from isotherm.log import Log
    from isotherm.tasks import Tasks


def make_alerts(settings: DashboardSettings, log: Log, tasks: Tasks) -> Alerts:
    """Start the sinks, and begin with what was known before.

    Raises:
        SettingsError: a file cannot be used.
    """
    notified = _notified(settings.state_file)
    limits = Limits(
        hot=settings.hot,
        cold=settings.cold,
        margin=settings.margin,
        offline=settings.offline / 100,
        hold=_ns(settings.hold),
        stale=_ns(settings.stale_after),
    )
    ours = rules(limits)
    if notified is not None:
        notified.keep(ours)
    context = AlertContext(
        rules=ours,
        repeat=_ns(settings.repeat),
        log=log,
        tasks=tasks,
        notified=notified,
    )
    sinks = [
        sink for kind in kinds() for sink in kind.make(settings.alert_sinks[kind.name], context)
    ]
    known = [] if notified is None else notified.alerts({sink.name for sink in sinks})
    return Alerts(Engine(limits, known=known, began=time.time_ns()), sinks, log=log)


def _notified(path: str | None) -> NotifiedFile | None:
    if path is None:
        return None
    try:
        return NotifiedFile(Path(path))
    except (OSError, ValueError) as error:
        fix = f"cannot be used: {error}; name another, or delete it"
        raise SettingsError("alerts.state_file", path, fix) from error


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_SECOND)
