"""What mosquitto and Kafka have in common: ports, a process, and being asked whether they work."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.errors import PortTakenError, ServiceFailedError
from deploy.local.ports import free_port, is_free, listens
from deploy.local.process import Child, Guard, log_tail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TRIES: Final = 5
_PAUSE: Final = 0.05


class Service(ABC):
    """One service of the stack.

    Args:
        data: the stack's folder; the service's own is ``data/NAME`` and its log ``data/NAME.log``.
        guard: ends it should we die.
        port: where it listens; None: the usual port, or a free one if that is taken.
        usual_ports: whether to try the usual ports at all.
    """

    name: ClassVar[str]
    usual_ports: ClassVar[tuple[int, ...]]
    """The port for clients, then the internal ones."""
    patience: ClassVar[float]
    """Seconds until a service that runs but does not answer counts as failed."""

    def __init__(
        self, data: Path, guard: Guard, port: int | None, *, usual_ports: bool = True
    ) -> None:
        self.folder = data / self.name
        self.log = data / f"{self.name}.log"
        self._guard = guard
        self._asked_port = port
        self._try_usual = usual_ports
        self._ports: tuple[int, ...] = ()
        self._child: Child | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        """Where clients find it; the same over all restarts once it has been ready.

        Known before it is launched only where it was asked for.
        """
        port = self._ports[0] if self._ports else self._asked_port
        assert port is not None
        return port

    @property
    def child(self) -> Child | None:
        """Its process while it should run."""
        return self._child

    def launch(self) -> None:
        """Start it without waiting.

        Raises:
            PortTakenError: the port that was asked for is in use.
        """
        if not self._ports:
            self._ports = self._choose_ports()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.configure(*self._ports)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._child = Child(self.name, self.command(), log=self.log, guard=self._guard)

    def wait_ready(self, *, may_move: bool = True) -> None:
        """Wait until it answers; starts it again on other ports if others were quicker there.

        Args:
            may_move: whether it may take other ports; not after a restart, for its clients.

        Raises:
            PortTakenError: somebody was quicker at the port that was asked for.
            ServiceFailedError: it died, or does not answer within its patience.
        """
        for attempt in range(_TRIES):
            if self._await_answer():
                self.when_ready()
                return
            assert self._child is not None
            alive = self._child.ended() is None
            fate = f"no answer in {self.patience:.0f} s" if alive else self._child.fate()
            self.stop(kill=True)
            if not (may_move and self._lost_port()) or attempt == _TRIES - 1:
                raise ServiceFailedError(f"{self.name} did not start: {fate}", self.tail())
            self._ports = ()
            self.launch()

    def stop(self, *, kill: bool = False) -> None:
        """End it if it runs; a later `launch` takes the same ports and data."""
        child, self._child = self._child, None
        if child is not None:
            child.stop(kill=kill)

    def tail(self) -> str:
        """The last lines of its log."""
        return log_tail(self.log)

    @abstractmethod
    def prepare(self) -> None:
        """Find or fetch the programs that it needs."""

    @abstractmethod
    def configure(self, *ports: int) -> None:
        """Write its configuration and prepare its folder."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask it over its port whether it serves."""

    @abstractmethod
    def when_ready(self) -> None:
        """What remains to do once it answers."""

    def _choose_ports(self) -> tuple[int, ...]:
        chosen: list[int] = []
        for index, usual in enumerate(self.usual_ports):
            if index == 0 and self._asked_port is not None:
                if not is_free(self._asked_port):
                    raise PortTakenError(
                        f"port {self._asked_port} for {self.name} is taken; name another one"
                    )
                chosen.append(self._asked_port)
            else:
                first = usual if self._try_usual else None
                chosen.append(free_port(first, frozenset(chosen)))
        return tuple(chosen)

    def _await_answer(self) -> bool:
        assert self._child is not None
        deadline = time.monotonic() + self.patience
        while self._child.ended() is None and time.monotonic() < deadline:
            # Before its answer counts, the port must be its own: another stack's service that
            # was quicker there would answer just as well.
            if listens(self._child.pid, self.port) and self.answers():
                return True
            time.sleep(_PAUSE)
        return False

    def _lost_port(self) -> bool:
        with self.log.open("rb") as stream:
            stream.seek(self._log_start)
            return b"Address already in use" in stream.read()
