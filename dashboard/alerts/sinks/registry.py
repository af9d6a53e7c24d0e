"""The registry of the sinks of alerts: each is one module, whose `SINKS` says what it offers."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from dashboard.alerts import sinks as folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.alerts.sinks.base import AlertSinkKind


@cache
def kinds() -> tuple[AlertSinkKind, ...]:
    """All kinds of sinks that the modules in this folder have."""
    names = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    modules = [importlib.import_module(f"{folder.__name__}.{name}") for name in names]
    return tuple(kind for module in modules for kind in getattr(module, "SINKS", ()))


def check_files(settings: Mapping[str, Any]) -> None:
    """Read the files that the settings of the sinks name, as the sinks would.

    Args:
        settings: of the sinks, by the names of their kinds.

    Raises:
        SettingsError: one cannot be used.
    """
    for kind in kinds():
        kind.check(settings[kind.name])


def remembers(settings: Mapping[str, Any]) -> bool:
    """Whether a sink that is asked for has something to write into `alerts.state_file`."""
    return any(kind.remembers(settings[kind.name]) for kind in kinds())
