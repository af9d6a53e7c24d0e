"""mosquitto and Kafka for one data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from typing import IO, TYPE_CHECKING, Self

from deploy.errors import AlreadyRunningError, ServiceFailedError, StackError
from deploy.local.ownership import LOCK, ours
from deploy.local.ports import LOOPBACK
from deploy.local.process import Guard, await_end
from deploy.local.services.kafka import Kafka, create_topics
from deploy.local.services.mosquitto import Mosquitto
from deploy.local.state import (
    ProcessRecord,
    ServiceRecord,
    StackRecord,
    read_state,
    write_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.local.process import Child
    from deploy.local.services.base import Service


class Stack:
    """mosquitto and Kafka on loopback; nothing of them outlives the process that started them.

    Args:
        data: everything is kept under this folder: configuration, data, logs, stack.json.
        mqtt_port: mosquitto's port; None: 1883, or a free one if that is taken.
        kafka_port: Kafka's port; None: 9092, or a free one if that is taken.
        usual_ports: False: always take free ports, so that others can have the usual ones.
        report: shows one line of progress; default none.
    """

    def __init__(
        self,
        data: Path,
        *,
        mqtt_port: int | None = None,
        kafka_port: int | None = None,
        usual_ports: bool = True,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data = data = data.resolve()
        self._guard = Guard()
        self._mosquitto = Mosquitto(data, self._guard, mqtt_port, usual_ports=usual_ports)
        self._kafka = Kafka(data, self._guard, kafka_port, usual_ports=usual_ports, report=report)
        self._lock: IO[str] | None = None
        self._programs: dict[str, ServiceRecord] = {}

    @property
    def mqtt(self) -> str:
        """The MQTT broker's address, such as ``mqtt://127.0.0.1:1883``."""
        return f"mqtt://{LOOPBACK}:{self._mosquitto.port}"

    @property
    def kafka(self) -> str:
        """Kafka's address, such as ``127.0.0.1:9092``."""
        return f"{LOOPBACK}:{self._kafka.port}"

    @property
    def services(self) -> tuple[Service, ...]:
        """The broker and Kafka, in the order of starting."""
        return (self._mosquitto, self._kafka)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prepare(self) -> None:
        """Find or fetch the programs that both need, so that starting is all that remains.

        Raises:
            StackError: one is not installed, or could not be fetched.
        """
        for service in self.services:
            service.prepare()

    def start(self) -> None:
        """Start both and wait until both answer and the topics exist; all or nothing.

        Raises:
            StackError: and then nothing of it runs any more.
        """
        self.prepare()
        self._own()
        try:
            self._mosquitto.launch()
            self._note()
            self._kafka.launch()
            self._note()
            for service in self.services:
                service.wait_ready()
            self._note()
        except BaseException:
            self.stop(kill=True)
            raise

    def stop(self, *, kill: bool = False) -> None:
        """End what runs; safe to call again."""
        for service in reversed(self.services):
            service.stop(kill=kill)
        self._guard.close()
        if self._lock is not None:
            state_path(self.data).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def adopt(self, child: Child, *, port: int, kind: str) -> None:
        """Name a program beside the services in the state, so that `status` shows it.

        Args:
            child: the program; whoever started it stops it.
            port: where it answers /metrics.
            kind: see `deploy.local.state`.
        """
        process = ProcessRecord.of(child.pid)
        self._programs[child.name] = ServiceRecord(process, port, str(child.log), kind)
        if self._lock is not None:
            self._note()

    def check(self) -> None:
        """Look whether what should run still runs.

        Raises:
            ServiceFailedError: a service has died.
        """
        for service in self.services:
            if service.child is not None and service.child.ended() is not None:
                fate = service.child.fate()
                raise ServiceFailedError(f"{service.name} died: {fate}", service.tail())

    def stop_kafka(self, *, kill: bool = False) -> None:
        """End Kafka; with `kill` by SIGKILL."""
        self._stop(self._kafka, kill=kill)

    def start_kafka(self) -> None:
        """Start Kafka again with the same port and data, and wait until it answers."""
        self._start(self._kafka)

    def stop_mosquitto(self, *, kill: bool = False) -> None:
        """End mosquitto; with `kill` by SIGKILL, which loses its last unsaved changes."""
        self._stop(self._mosquitto, kill=kill)

    def start_mosquitto(self) -> None:
        """Start mosquitto again with the same port and data, and wait until it answers."""
        self._start(self._mosquitto)

    def create_topics(self, *names: str, partitions: int = 1) -> None:
        """Create further Kafka topics and wait for their leaders."""
        create_topics(self.kafka, dict.fromkeys(names, partitions))

    def _stop(self, service: Service, *, kill: bool) -> None:
        service.stop(kill=kill)
        self._note()

    def _start(self, service: Service) -> None:
        if service.child is not None:
            raise StackError(f"{service.name} runs already")
        service.launch()
        service.wait_ready(may_move=False)
        self._note()

    def _own(self) -> None:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        lock = _lock(self.data / LOCK)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            record = read_state(state_path(self.data))
            owner = f", started by process {record.owner.pid}" if record else ""
            raise AlreadyRunningError(f"a stack runs in {self.data} already{owner}") from None
        self._lock = lock
        # Its owner is gone, since the lock was free; its guard may still be ending these.
        if left := read_state(state_path(self.data)):
            end_services(ours(left, self.data))

    def _note(self) -> None:
        services = {
            service.name: ServiceRecord(
                ProcessRecord.of(service.child.pid), service.port, str(service.log)
            )
            for service in self.services
            if service.child is not None
        }
        record = StackRecord(ProcessRecord.of(os.getpid()), services | self._programs)
        write_state(state_path(self.data), record)


def _lock(path: Path) -> IO[str]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise StackError(
            f"{path} cannot be opened: {error.strerror or error}; choose a folder of your own"
        ) from error


def state_path(data: Path) -> Path:
    """Where a stack's state is."""
    return data / "stack.json"


def end_services(record: StackRecord, timeout: float = 20.0) -> None:
    """End the services of a stack whose owner is gone: SIGTERM, after `timeout` s SIGKILL.

    Args:
        record: of `deploy.local.ownership.ours`.
        timeout: seconds.
    """
    running = [entry.process for entry in record.services.values() if entry.process.runs]
    for process in running:
        signal_process(process, signal.SIGTERM)
    for process in running:
        if not await_end(process.pid, process.started, timeout):
            signal_process(process, signal.SIGKILL)
            await_end(process.pid, process.started, timeout)


def signal_process(process: ProcessRecord, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        if process.runs:
            os.kill(process.pid, number)
