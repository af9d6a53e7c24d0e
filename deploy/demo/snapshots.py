"""What the job has counted, read from the file of its snapshots while it grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.foreign_json import ForeignJsonError, decode_object

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 64 << 20

_NOTHING: Final[dict[str, Any]] = {
    "average_temperature_by_state": [],
    "total_messages": 0,
    "sensors_by_state": [],
    "total_sensors": 0,
}


class Snapshots:
    """Follows a file of snapshots, from its present end on.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self.first: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None

    def read(self) -> None:
        """Take the lines that were added since."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            while line := stream.readline(_MOST_BYTES):
                if not line.endswith(b"\n") and len(line) < _MOST_BYTES:
                    break
                self._offset += len(line)
                try:
                    self.last = decode_object(line, max_bytes=_MOST_BYTES)
                except ForeignJsonError:
                    # A line that was torn; the next one says it all again.
                    continue
                self.first = self.first or self.last

    @property
    def analytics(self) -> dict[str, Any]:
        """The four analytics over all; over nothing before the first snapshot."""
        scopes: dict[str, Any] = self.last["scopes"] if self.last else {}
        return dict(scopes.get("since_start") or _NOTHING)

    @property
    def rejected(self) -> dict[str, int]:
        """The records that Spark rejected, by reason."""
        return dict(self.last.get("rejected_since_start") or {}) if self.last else {}

    @property
    def counted(self) -> int:
        """The records that Spark has seen: readings, gaps, doubles, and what is neither."""
        audit = self.last.get("audit_since_start", {}) if self.last else {}
        beside = audit.get("gaps", 0) + audit.get("duplicated", 0)
        return int(self.analytics["total_messages"] + beside + sum(self.rejected.values()))

    @property
    def began(self) -> float | None:
        """When the first trigger's window began, seconds since 1970."""
        if self.first is None:
            return None
        text = self.first["window"]["start"].removesuffix("Z")
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
