"""The messages of a benchmark: readings of 192 bytes that say which one they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SENSORS: Final = 2_000
FIRST: Final = 10_000_000
"""Of ``n``, so that all have the same width."""
_STATES: Final = ("CA", "FL", "NY", "TX", "WA")


def readings(count: int) -> Iterator[bytes]:
    """Readings in the reference format with one more field, ``n``, that counts them from `FIRST`.

    The nth reading is of sensor n modulo `SENSORS`, so that each sensor's come in the order of n.
    """
    for n in range(count):
        sensor = n % SENSORS
        guid = f"0-ZZZ12345678-{sensor // 26:02d}{chr(65 + sensor % 26)}"
        yield (
            f'{{"guid":"{guid}","destination":"0-AAA12345678","state":"{_STATES[sensor % 5]}",'
            f'"eventTime":"2016-11-16T13:26:{n % 60:02d}.447974Z","payload":{{"format":'
            f'"urn:example:sensor:temp","data":{{"temperature":{50 + n % 400 / 10:.1f}}}}},'
            f'"n":{FIRST + n}}}'
        ).encode()


def messages(count: int, per_message: int) -> Iterator[bytes]:
    """MQTT payloads of `per_message` readings, one a line (NDJSON); `count` readings in all."""
    source = readings(count)
    for _ in range(count // per_message):
        yield b"\n".join(next(source) for _ in range(per_message))
