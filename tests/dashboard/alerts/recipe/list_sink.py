"""Alerts as lines of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboard.alerts.sinks.base import AlertContext, AlertSinkKind, QueuedSink
from isotherm.settings.table import optional, setting, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.alerts.notified import Notice


@dataclass(frozen=True, kw_only=True)
class ListSettings:
    """The rows of the file."""

    alert_list: str | None = setting(
        "alerts.list",
        optional(text),
        default=None,
        flag="--alert-list",
        metavar="FILE",
        help="Append a line for each alert that begins or ends to this file.",
    )


class ListSink(QueuedSink):
    """Appends a line for each notice."""

    def __init__(self, path: Path, context: AlertContext) -> None:
        self._path = path
        super().__init__("list", self._append, context)

    def _append(self, notice: Notice) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{notice.alert.key.name} {notice.alert.key.place} {notice.firing}\n")


def make(settings: ListSettings, context: AlertContext) -> Sequence[ListSink]:
    """The file; none where it is not asked for."""
    return () if settings.alert_list is None else (ListSink(Path(settings.alert_list), context),)


SINKS: Final = (AlertSinkKind("list", ListSettings, make),)
