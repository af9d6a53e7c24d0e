"""The bridge's errors; those of Kafka are in `bridge.kafka.errors`.

BridgeError
├── MalformedPacketError   the MQTT byte stream is not MQTT; the connection is closed
│   └── PacketTooLargeError    a packet above what CONNECT announced
├── MqttLibraryError       the installed paho-mqtt cannot be used
├── SinkError              Kafka did not take a batch
├── SessionsLeftError      sessions of an earlier start would double what this one forwards
└── MissingClientError     the chosen Kafka client is not installed
"""

from __future__ import annotations

from isotherm.errors import EXIT_DEPENDENCY, EXIT_USAGE, IsothermError


class BridgeError(IsothermError):
    """Anything that the bridge raises on purpose."""


class MalformedPacketError(BridgeError, ValueError):
    """Bytes from the MQTT broker that are not MQTT; reconnecting gives a clean start."""

    retriable = True


class PacketTooLargeError(MalformedPacketError):
    """A packet above `mqtt.max_packet_size`.

    Args:
        size: of the packet, bytes.
        limit: the setting.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the broker sends a packet of {size} bytes, above mqtt.max_packet_size = {limit}; "
            "find who publishes it, or raise the setting"
        )


class SessionsLeftError(BridgeError):
    """Sessions of an earlier start would double or lose messages; says how to end them."""

    exit_code = EXIT_USAGE


class MqttLibraryError(BridgeError):
    """The installed paho-mqtt cannot be used.

    Args:
        version: of it.
        why: what does not work.
    """

    exit_code = EXIT_DEPENDENCY

    def __init__(self, version: str, why: str) -> None:
        super().__init__(
            f"paho-mqtt {version} does not work with this bridge: {why}; install another one: "
            "pip install 'paho-mqtt==2.2.*'"
        )


class MissingClientError(BridgeError, ImportError):
    """The chosen Kafka client is not installed."""

    exit_code = EXIT_DEPENDENCY
