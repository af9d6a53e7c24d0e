"""The last will that the agent would have: the doctor asks the broker for the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge_agent.outbox.clock import boot_id
from edge_agent.outbox.identity import new_epoch, new_key, proof
from isotherm import VERSION
from isotherm.contract.fields import Clock
from isotherm.mqtt.status import Mark, Status, encode_status

if TYPE_CHECKING:
    from collections.abc import Mapping


def last_will(facts: Mapping[str, Any]) -> bytes:
    """That payload, from what the outbox's file says: true, should the broker publish it.

    Args:
        facts: of the store; see `edge_agent.outbox.storage.database.Saved`.
    """
    lives = str(facts.get("lives", "")).split()
    mark = Mark(
        str(facts.get("epoch", new_epoch())),
        int(facts.get("last_id", 0)) + 1,
        lives[-1] if lives else new_epoch(),
    )
    return encode_status(
        Status(
            online=False,
            time=time.time_ns(),
            version=VERSION,
            boot=boot_id(),
            life=mark.life,
            epoch=mark.epoch,
            next_id=mark.next_id,
            clock=Clock.UNSYNCED,
            outbox={},
            probes=(),
            proof=proof(str(facts.get("key", new_key())), mark),
        )
    )
