"""Home Assistant finds the probes by itself: MQTT discovery.

A retained config message per probe says where its value is: in one small retained message per
device, the latest temperatures. The readings' own topic would not do: it carries several readings
in one payload, and old ones after an outage.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery (topic
`<prefix>/sensor/<object_id>/config`, object ids of letters, digits, `_` and `-`; an empty payload
removes), https://www.home-assistant.io/integrations/sensor.mqtt/ (the keys).
"""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.mqtt.topics import latest_topic, status_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge_agent.mqtt.events import Up
    from edge_agent.reporting.retained import RetainedMessages
    from edge_agent.sampling.sample import Sample

PATIENCE: Final = 3
"""Intervals after which Home Assistant calls a value that did not come unavailable."""
LEAST_PATIENCE: Final = 30
"""Seconds for the same, at least: a board that connects again is no reason."""
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Sensor(NamedTuple):
    """A probe as Home Assistant shall know it.

    Attributes:
        guid: names the sensor.
        interval: seconds between two readings.
    """

    guid: str
    interval: float


def object_id(name: str) -> str:
    """A name out of letters, digits, ``_`` and ``-`` that no other name has.

    Where characters had to go, the CRC-32 of the whole name keeps two names apart.
    """
    plain = _FORBIDDEN.sub("_", name)
    return plain if plain == name else f"{plain}_{zlib.crc32(name.encode()):08x}"


def config_topic(prefix: str, device: str, guid: str) -> str:
    """Where the config of a probe stands."""
    return f"{prefix}/sensor/{object_id(f'{device}-{guid}')}/config"


def config(device: str, sensor: Sensor, *, version: str) -> bytes:
    """The config of a probe."""
    key = object_id(sensor.guid)
    made: dict[str, Any] = {
        "name": sensor.guid,
        "unique_id": f"isotherm-{object_id(f'{device}-{sensor.guid}')}",
        "device_class": "temperature",
        "state_class": "measurement",
        "unit_of_measurement": "°F",
        "suggested_display_precision": 1,
        "state_topic": latest_topic(device),
        "value_template": f"{{{{ value_json['{key}'] }}}}",
        "expire_after": max(LEAST_PATIENCE, int(sensor.interval * PATIENCE)),
        "availability_topic": status_topic(device),
        "availability_template": "{{ 'online' if value_json.online else 'offline' }}",
        "device": {
            "identifiers": [f"isotherm-{device}"],
            "name": device,
            "manufacturer": "isotherm",
            "sw_version": version,
        },
        "origin": {"name": "isotherm-agent", "sw_version": version},
    }
    return json.dumps(made, ensure_ascii=False).encode()


def latest(temperatures: Mapping[str, float | None]) -> bytes:
    """The latest temperatures, °F by guid; None, where a probe has a fault, shows as unknown."""
    return json.dumps({object_id(guid): value for guid, value in temperatures.items()}).encode()


class HomeAssistant:
    """A duty of the main loop: what Home Assistant gets to know.

    Args:
        notices: where it goes.
        greeting: what the broker said when it let us in; None while there is no connection.
        prefix: of the discovery topics, by default ``homeassistant`` there.
        device: the device's name.
        version: isotherm's.
    """

    def __init__(
        self,
        notices: RetainedMessages,
        *,
        greeting: Callable[[], Up | None],
        prefix: str,
        device: str,
        version: str,
    ) -> None:
        self._notices = notices
        self._greeting = greeting
        self._prefix = prefix
        self._device = device
        self._version = version
        self._sensors: Sequence[Sensor] = ()
        self._latest: dict[str, float | None] = {}
        self._up: Up | None = None

    def turn(self, _now: float) -> float:
        """Tell it all again over each new connection: the broker may have forgotten it."""
        up = self._greeting()
        if up is not self._up:
            self._up = up
            if up is not None:
                self._introduce()
                self._show()
        return math.inf

    def introduce(self, sensors: Sequence[Sensor]) -> None:
        """Take on these probes; those that are no more are taken back."""
        gone = {sensor.guid for sensor in self._sensors} - {sensor.guid for sensor in sensors}
        for guid in gone:
            self._latest.pop(guid, None)
            self._notices.post(config_topic(self._prefix, self._device, guid), b"")
        self._sensors = sensors
        self._introduce()

    def show(self, samples: Iterable[Sample], faulty: Iterable[str]) -> None:
        """Tell what was measured, and which probes gave nothing."""
        news: dict[str, float | None] = dict.fromkeys(faulty)
        news |= {sample.guid: sample.temperature for sample in samples}
        if news:
            self._latest |= news
            self._show()

    def _introduce(self) -> None:
        for sensor in self._sensors:
            topic = config_topic(self._prefix, self._device, sensor.guid)
            self._notices.post(topic, config(self._device, sensor, version=self._version))

    def _show(self) -> None:
        if self._latest:
            self._notices.post(latest_topic(self._device), latest(self._latest))
