"""The main loop of a board: reads the probes that are due, and publishes what they give."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from contract.errors import EXIT_FINE
from edge_agent.message import Fate
from edge_agent.outbox import packets

if TYPE_CHECKING:
    from contract.log import Log
    from edge_agent.mqtt import MqttLink
    from edge_agent.outbox import MemoryOutbox
    from edge_agent.publisher import Publisher
    from edge_agent.sampler import Sampler
    from edge_agent.schedule import Schedule
    from edge_agent.stamper import Stamper
    from edge_agent.stop import Stop

LAST_WAIT: Final = 2.0
"""Seconds for which the outbox is emptied after SIGTERM, if the broker is there."""


def run(
    sampler: Sampler,
    stamper: Stamper,
    schedule: Schedule,
    outbox: MemoryOutbox,
    *,
    publisher: Publisher,
    link: MqttLink,
    stop: Stop,
    log: Log,
) -> int:
    """Read and publish until SIGINT or SIGTERM.

    Returns:
        The exit code, always 0: to be stopped is how this ends.
    """
    while stop.signal is None:
        now = time.monotonic()
        sampler.start(schedule.due(now))
        outbox.put(packets(map(stamper.encode, sampler.collect())))
        timeout = publisher.turn()
        look = min(schedule.next_tick, sampler.next_look) - time.monotonic()
        link.wait(min(timeout, look), stop.fileno(), sampler.fileno())
    outbox.put(packets(map(stamper.encode, sampler.close())))
    deadline = time.monotonic() + LAST_WAIT
    while outbox.rows and publisher.connected and time.monotonic() < deadline:
        timeout = publisher.turn()
        link.wait(min(timeout, deadline - time.monotonic()))
    facts = {
        "acknowledged": outbox.fates[Fate.DELIVERED],
        "nobody_got": outbox.fates[Fate.UNHEARD],
        "refused": outbox.fates[Fate.REFUSED],
        "dropped": outbox.dropped,
        "lost_from_memory": outbox.rows,
        "faults": sampler.faults,
    }
    bad = facts["refused"] or facts["dropped"] or facts["lost_from_memory"] or facts["nobody_got"]
    (log.warning if bad else log.info)("stopped", **facts)
    return EXIT_FINE
