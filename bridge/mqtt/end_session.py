"""Ending an MQTT session of ours for good, with its subscriptions and its queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from bridge.mqtt.ways import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.mqtt.client import BulkClient
    from bridge.mqtt.options import SessionOptions

_KEEPALIVE_S: Final = 30


def forget(options: SessionOptions, timeout: float) -> None:
    """Have the broker end a session, subscriptions, queue and all.

    Args:
        options: how to connect; nobody else may be connected under the client id.
        timeout: seconds to wait for each answer.

    Raises:
        OSError: the broker cannot be reached, or refuses.
    """
    client = choose().client(options, lambda _arrivals: None, fresh=True)
    answers: list[ReasonCode] = []
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.append(
        reason
    )
    clean = options.modern or paho.MQTT_CLEAN_START_FIRST_ONLY
    client.connect_async(
        options.address.host, options.address.port, keepalive=_KEEPALIVE_S, clean_start=clean
    )
    try:
        client.reconnect()
        _turn(client, lambda: bool(answers), timeout)
        if not answers or answers[0].is_failure:
            why = str(answers[0]) if answers else "no answer"
            raise OSError(f"the broker does not end the session {options.client_id}: {why}")
        # Without a Session Expiry Interval the session ends with the connection (3.1.2.11.2).
        client.disconnect()
        _turn(client, lambda: client.socket() is None, timeout)
    finally:
        client.drop()
        client.release()


def _turn(client: BulkClient, done: Callable[[], bool], timeout: float) -> None:
    end = time.monotonic() + timeout
    while not done() and time.monotonic() < end:
        if client.loop(0.1) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            return
