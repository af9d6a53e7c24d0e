"""The job's HTTP endpoint, as soon as its address can be had: counting does not wait for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from contract.backoff import Backoff
from contract.endpoint import Endpoint
from contract.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from contract.address import Address
    from contract.endpoint import Page
    from contract.log import Log
    from contract.tasks import Tasks


class Listener:
    """Answers while the context lasts.

    An address may not be there yet: at boot before DHCP, or while a process that had it ends.

    Args:
        address: where to listen.
        pages: see `Endpoint`.
        tasks: see to the thread that tries again.
        log: a line when it cannot be had, and one when it can.
        backoff: the pauses between tries.
    """

    def __init__(
        self,
        address: Address,
        pages: Mapping[str, Callable[[], Page]],
        *,
        tasks: Tasks,
        log: Log,
        backoff: Backoff | None = None,
    ) -> None:
        self._address = address
        self._pages = pages
        self._tasks = tasks
        self._log = log
        self._backoff = backoff or Backoff(first=1.0)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._endpoint: Endpoint | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return None if self._endpoint is None else self._endpoint.port

    def __enter__(self) -> Self:
        try:
            self._endpoint = Endpoint(self._address, self._pages).__enter__()
        except ListenError as error:
            self._log.warning("metrics wait for their address; counting does not", why=str(error))
            self._thread = self._tasks.start(
                "metrics-address", self._try_again, stopping=self._done, again=self._backoff
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._endpoint is not None:
            self._endpoint.__exit__(None, None, None)

    def _done(self) -> bool:
        return self._stop.is_set() or self._endpoint is not None

    def _try_again(self) -> None:
        while not self._stop.wait(self._backoff.next()):
            try:
                self._endpoint = Endpoint(self._address, self._pages).__enter__()
            except ListenError:
                continue
            self._log.info("metrics listen", address=str(self._address))
            return
