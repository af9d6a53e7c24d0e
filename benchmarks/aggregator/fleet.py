"""The readings of the benchmark, and what they must come to."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HUNDREDTHS: Final = 6_000
_LOWEST: Final = 2_000
_STRIDE: Final = 7_919
"""Prime, so that a state's temperatures differ."""
_TOLERANCE: Final = 1e-9

Record = tuple[bytes, bytes]
"""Key and value."""


class Expected(NamedTuple):
    """What readings must come to, whatever counts them.

    Attributes:
        readings: how many.
        sensors: by state.
        averages: by state, degrees Fahrenheit.
    """

    readings: int
    sensors: dict[str, int]
    averages: dict[str, float]


class Fleet:
    """Sensors that measure in turn; reading n of the fleet is of sensor n modulo their number.

    With a place in its sensor's sequence each, which continues from one call to the next.

    Args:
        sensors: how many.
    """

    def __init__(self, sensors: int) -> None:
        self.sensors = sensors
        self.written = 0
        self._state = [STATES[number % len(STATES)] for number in range(sensors)]
        self._heads = [
            (
                f'{{"guid":"{guid}","destination":"0-AAA12345678","state":"{state}","eventTime":'
                '"2026-11-24T13:26:39.447974Z","payload":{"format":"urn:example:sensor:temp",'
                '"data":{"temperature":'
            ).encode()
            for guid, state in zip(self._guids(), self._state, strict=True)
        ]
        self._seqs = [0] * sensors
        self._keys = [guid.encode() for guid in self._guids()]
        self._sums: dict[str, int] = defaultdict(int)

    def _guids(self) -> Iterator[str]:
        return (f"0-ZZZ{number:08d}-08K" for number in range(self.sensors))

    def readings(self, count: int, among: int | None = None) -> Iterator[Record]:
        """The next `count` records.

        Args:
            count: how many.
            among: how many sensors, from the first; default all.
        """
        sensors = among or self.sensors
        tail = b'%s%d.%02d}},"origin":{"epoch":"5f1c0000000000a1","seq":%d,"clock":"synced"}}'
        start = self.written
        for n in range(start, start + count):
            sensor = n % sensors
            self._seqs[sensor] = seq = self._seqs[sensor] + 1
            whole, rest = divmod(_hundredths(n), 100)
            yield self._keys[sensor], tail % (self._heads[sensor], whole, rest, seq)
        self.written += count

    def expect(self, first: int, count: int, among: int | None = None) -> Expected:
        """What readings `first` to ``first + count - 1`` come to; sums are exact."""
        sensors = among or self.sensors
        sums: dict[str, int] = defaultdict(int)
        counts: dict[str, int] = defaultdict(int)
        for n in range(first, first + count):
            state = self._state[n % sensors]
            sums[state] += _hundredths(n)
            counts[state] += 1
        seen: dict[str, int] = defaultdict(int)
        for n in range(first, first + min(count, sensors)):
            seen[self._state[n % sensors]] += 1
        averages = {state: sums[state] / 100 / counts[state] for state in sums}
        return Expected(count, dict(seen), averages)


def _hundredths(n: int) -> int:
    return _LOWEST + n * _STRIDE % _HUNDREDTHS


def differences(expected: Expected, found: dict[str, Any]) -> list[str]:
    """In which of the four analytics a result differs from what it must be.

    Args:
        expected: the oracle's.
        found: with the names of `isotherm.snapshot/1`, of one scope.
    """
    averages = dict(found["average_temperature_by_state"])
    checks = {
        "total_messages": found["total_messages"] == expected.readings,
        "total_sensors": found["total_sensors"] == sum(expected.sensors.values()),
        "sensors_by_state": dict(found["sensors_by_state"]) == expected.sensors,
        "average_temperature_by_state": averages.keys() == expected.averages.keys()
        and all(
            math.isclose(averages[state], average, rel_tol=0, abs_tol=_TOLERANCE)
            for state, average in expected.averages.items()
        ),
    }
    return [name for name, same in checks.items() if not same]


def analytics(rows: Iterable[tuple[str, str, float]]) -> dict[str, Any]:
    """The four analytics of (state, guid, temperature), for contenders that only count."""
    sums: dict[str, list[float]] = {}
    sensors: dict[str, set[str]] = {}
    for state, guid, temperature in rows:
        entry = sums.get(state)
        if entry is None:
            sums[state] = [1, temperature]
            sensors[state] = {guid}
            continue
        entry[0] += 1
        entry[1] += temperature
        sensors[state].add(guid)
    averages = [(state, total / count) for state, (count, total) in sums.items()]
    return {
        "average_temperature_by_state": sorted(averages, key=lambda row: -row[1]),
        "total_messages": sum(int(count) for count, _ in sums.values()),
        "sensors_by_state": sorted((state, len(found)) for state, found in sensors.items()),
        "total_sensors": len(set().union(*sensors.values())),
    }
