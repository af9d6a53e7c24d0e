"""The sensors of a state, asked of the job, which has them in its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import is_event_time
from isotherm.contract.foreign_json import (
    ForeignJsonError,
    decode_object,
    excerpt,
    is_count,
    is_finite,
)
from isotherm.http.client import RefusedError, ask
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PATIENCE_S: Final = 5.0
_TOTAL_S: Final = 8.0
_MAX_BYTES: Final = 1 << 20
"""Of an answer: 200 sensors have some 50,000."""
_GUID: Final = 128
MOST: Final = 200
"""The job gives no more of a state."""


class SensorsError(Exception):
    """Why there are none, as a sentence with what to do."""


class Job:
    """The job's HTTP endpoint.

    Args:
        url: its address; None where the person gave none.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url

    def sensors(self, state: str) -> dict[str, Any]:
        """What the job says of a state's sensors; takes up to some seconds.

        Raises:
            SensorsError: it does not say.
        """
        if self._url is None:
            raise SensorsError(
                "start the job with --metrics HOST:PORT and this page with --job http://HOST:PORT; "
                "the job has the sensors in its ledger (--scope both)"
            )
        try:
            raw = ask(
                f"{self._url}/sensors/{state}",
                timeout=_PATIENCE_S,
                total=_TOTAL_S,
                max_bytes=_MAX_BYTES + 1,
            )
        except RefusedError as error:
            raise SensorsError(f"the job at {self._url} says: {_words(error)}") from error
        except Exception as error:
            reason = getattr(error, "reason", error)
            why = reason if isinstance(reason, OSError | str) else where(error)
            raise SensorsError(
                f"the job at {self._url} (--job) does not answer: {why}; is it running with "
                "--metrics?"
            ) from error
        try:
            return _sensors(decode_object(raw, max_bytes=_MAX_BYTES), state)
        except ForeignJsonError as error:
            why = str(error)
        except ValueError as error:
            why = f"it is no list of sensors ({error})"
        raise SensorsError(
            f"the answer of {self._url} (--job) cannot be used: {why}; is it the job's address?"
        )


def _words(error: RefusedError) -> str:
    text = error.said.decode("utf-8", "replace").strip()
    return "".join(each if each.isprintable() else " " for each in text) or str(error.code)


def _sensors(found: dict[str, Any], state: str) -> dict[str, Any]:
    """What the page shows of an answer.

    Raises:
        ValueError: it is none.
    """
    rows = found.get("sensors")
    if found.get("state") != state or not is_count(found.get("total"), 1 << 62):
        raise ValueError("state and total")
    if not isinstance(rows, list) or len(rows) > MOST:
        raise ValueError(f"at most {MOST} sensors")
    return {"state": state, "total": found["total"], "sensors": [_sensor(row) for row in rows]}


def _sensor(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict) or "guid" not in row:
        raise ValueError("a sensor has no guid")
    for name, holds in _SENSOR.items():
        if name in row and not holds(row[name]):
            raise ValueError(f"{name} = {excerpt(row[name])}")
    return {name: row[name] for name in _SENSOR if name in row}


def _is_time(value: object) -> bool:
    return isinstance(value, str) and is_event_time(value)


_SENSOR: Final[Mapping[str, Callable[[object], bool]]] = {
    "guid": lambda value: isinstance(value, str) and len(value) <= _GUID,
    "last_seen": _is_time,
    "last_event": _is_time,
    "readings": lambda value: is_count(value, 1 << 62),
    "average_temperature": is_finite,
    "offline": lambda value: isinstance(value, bool),
}
