"""One reading of each probe, for the commands that look at a board."""

from __future__ import annotations

import io
import select
import time
from typing import TYPE_CHECKING

from edge_agent.sampling.sampler import Sampler
from isotherm.log import start_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.probes.status import ProbeStatus
    from edge_agent.sampling.places import Place
    from edge_agent.sampling.sample import Sample


def read_all(places: Sequence[Place]) -> tuple[list[Sample], dict[str, ProbeStatus]]:
    """One reading of each probe, and how it went; takes as long as the slowest, or its timeout."""
    # Nothing is logged: the caller shows it all.
    sampler = Sampler(
        places,
        log=start_logging("read", stream=io.StringIO()),
        clock=time.time_ns,
        uptime=time.monotonic_ns,
    )
    sampler.start(range(len(places)))
    samples = sampler.collect()
    while not all(one.readings or one.faults for one in sampler.status().values()):
        timeout = max(0.0, sampler.next_look - time.monotonic())
        select.select([sampler.fileno()], [], [], timeout)
        samples += sampler.collect()
    status = sampler.status()
    return samples + sampler.close(), status
