"""What the bridge answers over HTTP: /metrics, /healthz and /readyz."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bridge.health import Reach, missing, stuck
from bridge.metrics import METRICS, PREFIX, View
from contract.backoff import Backoff
from contract.endpoint import Endpoint, Page, metrics, verdict
from contract.errors import ListenError
from contract.exposition import exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bridge.health import Vitals
    from bridge.settings import BridgeSettings
    from contract.address import Address
    from contract.log import Log
    from contract.tasks import Tasks

_END_S: Final = 5.0


def pages(
    vitals: Callable[[], Sequence[Vitals]], kafka: Callable[[], bool], tasks: Tasks
) -> Mapping[str, Callable[[], Page]]:
    """What is answered.

    Args:
        vitals: the lanes' state, asked for at each request.
        kafka: whether a Kafka broker answers just now.
        tasks: those of the program.
    """
    return {
        "/metrics": lambda: metrics(
            exposition(PREFIX, METRICS, View(vitals(), kafka(), time.monotonic(), tasks))
        ),
        "/healthz": lambda: verdict(stuck(vitals())),
        "/readyz": lambda: verdict(missing(vitals(), kafka=kafka(), tasks=tasks.faults())),
    }


@contextmanager
def observed(
    settings: BridgeSettings, vitals: Callable[[], Sequence[Vitals]], log: Log, tasks: Tasks
) -> Iterator[None]:
    """Have the bridge answer at `bridge.metrics` for the time of the context, if that is set.

    An address that cannot be had (not there before the network is, or taken) keeps nothing from
    being forwarded: it is said, and tried again.
    """
    if settings.metrics is None:
        yield
        return
    listener = _Listener(settings.metrics, pages(vitals, Reach(settings.kafka), tasks), log)
    thread = tasks.start(
        "metrics listener", listener.run, stopping=listener.over.is_set, again=Backoff()
    )
    try:
        yield
    finally:
        listener.over.set()
        thread.join(_END_S)


class _Listener:
    """Gets the address, now or later, and answers there until `over`."""

    def __init__(
        self, address: Address, served: Mapping[str, Callable[[], Page]], log: Log
    ) -> None:
        self.over = threading.Event()
        self._address = address
        self._served = served
        self._log = log

    def run(self) -> None:
        """Until `over`."""
        pauses = Backoff(first=0.5, longest=10.0)
        said = ""
        while not self.over.is_set():
            try:
                endpoint = Endpoint(self._address, self._served)
            except ListenError as error:
                if str(error) != said:
                    said = str(error)
                    self._log.error("no metrics", why=said, note="tried again; all else goes on")
                self.over.wait(pauses.next())
                continue
            with endpoint:
                self._log.info("metrics", url=f"http://{self._address}/metrics")
                self.over.wait()
