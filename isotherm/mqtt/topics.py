"""Topic names: where readings, status and dead letters travel, on MQTT and in Kafka."""

from __future__ import annotations

import zlib
from typing import Final

KAFKA_READINGS: Final = "iotmsgs"
DEAD_LETTER_SUFFIX: Final = ".dead-letter"
ANALYTICS_SUFFIX: Final = ".analytics"
POSITIONS_SUFFIX: Final = ".bridge"
MARKS_SUFFIX: Final = ".aggregator"

SHARDS: Final = 64
"""Virtual shards, fixed for ever: bridges divide them among themselves (`--shards 0-31`)."""

ALL_READINGS: Final = "isotherm/v1/readings/#"
MAX_DEVICE_LENGTH: Final = 128


def shard(device: str) -> int:
    """The virtual shard of a device, 0 to 63: CRC-32 (IEEE) of its UTF-8 name, modulo 64."""
    return zlib.crc32(device.encode()) % SHARDS


def shard_filter(number: int) -> str:
    """The MQTT topic filter for the readings of one shard, 0 to 63."""
    return f"isotherm/v1/readings/{number:02d}/#"


def is_device(name: str) -> bool:
    """Whether a name can stand in a topic: 1 to 128 printable characters, none of ``/ + #``."""
    return 0 < len(name) <= MAX_DEVICE_LENGTH and name.isprintable() and not set(name) & set("/+#")


def readings_topic(device: str) -> str:
    """The MQTT topic of a device's readings.

    Raises:
        ValueError: the name cannot stand in a topic (see `is_device`).
    """
    _require_device(device)
    return f"isotherm/v1/readings/{shard(device):02d}/{device}"


def status_topic(device: str) -> str:
    """The MQTT topic of a device's retained status.

    Raises:
        ValueError: the name cannot stand in a topic (see `is_device`).
    """
    _require_device(device)
    return f"isotherm/v1/status/{device}"


def latest_topic(device: str) -> str:
    """The MQTT topic of a device's latest temperatures, kept for Home Assistant on request.

    Raises:
        ValueError: the name cannot stand in a topic (see `is_device`).
    """
    _require_device(device)
    return f"isotherm/v1/latest/{device}"


ALL_ALERTS: Final = "isotherm/v1/alerts/+/+"


def alert_topic(name: str, state: str) -> str:
    """The MQTT topic of an alert: retained while it is firing.

    Args:
        name: such as ``state-too-hot``.
        state: its two letters, or ``fleet``.
    """
    return f"isotherm/v1/alerts/{name}/{state}"


def _require_device(device: str) -> None:
    if not is_device(device):
        raise ValueError(
            f"device {device!r}: use 1 to {MAX_DEVICE_LENGTH} printable characters, none of / + #"
        )
