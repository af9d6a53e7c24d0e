"""From the settings to the running alerts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.dashboard.alerts.engine import Engine
from aggregator.dashboard.alerts.rules import Limits
from aggregator.dashboard.alerts.service import Alerts
from aggregator.dashboard.alerts.sink import AlertContext
from aggregator.dashboard.alerts.sink_kinds import kinds
from aggregator.dashboard.alerts.told import NotifiedFile
from contract.errors import SettingsError
from contract.moment import NS_PER_SECOND

if TYPE_CHECKING:
    from aggregator.dashboard.settings import DashboardSettings
    from contract.log import Log
    from contract.tasks import Tasks


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
    known = [] if notified is None else notified.alerts()
    engine = Engine(limits, known=known, began=time.time_ns())
    if notified is not None:
        notified.keep(engine.rules)
    context = AlertContext(
        rules=engine.rules,
        repeat=_ns(settings.repeat),
        log=log,
        tasks=tasks,
        notified=notified,
    )
    sinks = [
        sink for kind in kinds() for sink in kind.make(settings.alert_sinks[kind.name], context)
    ]
    return Alerts(engine, sinks, log=log)


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
