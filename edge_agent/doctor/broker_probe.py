"""Asks the MQTT broker, under a client id of its own: a running agent keeps its connection."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from contract.topics import status_topic
from edge_agent.connect import connect
from edge_agent.doctor.broker import BrokerFacts
from edge_agent.link import Down, Up

if TYPE_CHECKING:
    from edge_agent.settings import AgentSettings

PATIENCE_S: Final = 20.0
_TURN_S: Final = 0.1


def ask_broker(settings: AgentSettings) -> BrokerFacts:
    """Connect once, publish nothing, and leave no session behind.

    Raises:
        SettingsError: a file that the settings name cannot be used.
    """
    link = connect(
        settings,
        client_id=f"{settings.client_id}-doctor-{secrets.token_hex(4)}",
        status_topic=status_topic(settings.client_id),
    )
    link.open()
    deadline = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            for event in link.exchange(b""):
                if isinstance(event, Down):
                    return BrokerFacts(away=event.reason, refused=event.refused)
                if isinstance(event, Up):
                    return BrokerFacts(
                        window=event.receive_maximum,
                        retained=event.retained,
                        unreadable=event.unreadable,
                    )
            link.wait(_TURN_S)
    finally:
        link.close()
    return BrokerFacts(away=f"it does not answer within {PATIENCE_S:.0f} s")
