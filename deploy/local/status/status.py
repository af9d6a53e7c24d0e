"""Looks at what a state file names: does it run, does it answer, what do its metrics say?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.local.ports import LOOPBACK
from deploy.local.process import wall_clock
from deploy.local.services.kafka import Kafka, kafka_answers
from deploy.local.services.mosquitto import Mosquitto, mqtt_answers
from deploy.local.stack import state_path
from deploy.local.state import AGENT, PAGE, ServiceRecord, StackRecord, read_state
from deploy.local.status.part import UP, Numbers, Part, numbers
from deploy.local.status.scrape import Samples, ask

if TYPE_CHECKING:
    from collections.abc import Mapping

_BROKERS: Final = {Mosquitto.name: mqtt_answers, Kafka.name: kafka_answers}
_SCHEMES: Final = {Mosquitto.name: "mqtt://", PAGE: "http://"}
DEMO_PREFIX: Final = "isotherm-demo-"
BETWEEN_S: Final = 1.0


def running_demos() -> list[Path]:
    """The folders of the demos that run on this machine, the oldest first."""
    found = Path(tempfile.gettempdir()).glob(f"{DEMO_PREFIX}*")
    return sorted(folder for folder in found if (record := _record(folder)) and record.owner.runs)


def parts(record: StackRecord, between: float = BETWEEN_S) -> list[Part]:
    """Every part of a stack.

    Args:
        record: names them.
        between: seconds between the two looks that rates come from.
    """
    first = _scrape(record.services)
    if first:
        time.sleep(between)
    second = _scrape(record.services)
    absent = [name for name in _BROKERS if name not in record.services]
    return [
        *(Part(name=name, state="stopped") for name in absent),
        *(_part(name, service, first, second) for name, service in record.services.items()),
    ]


def _record(folder: Path) -> StackRecord | None:
    return read_state(state_path(folder))


def _scrape(services: Mapping[str, ServiceRecord]) -> dict[str, tuple[float, Samples]]:
    found = {}
    for name, service in services.items():
        if service.kind and (answer := ask(service.port, "/metrics")) is not None:
            found[name] = (time.monotonic(), Samples(answer.body))
    return found


def _part(
    name: str,
    service: ServiceRecord,
    first: Mapping[str, tuple[float, Samples]],
    second: Mapping[str, tuple[float, Samples]],
) -> Part:
    said = Numbers()
    if name in first and name in second:
        (begun, before), (ended, after) = first[name], second[name]
        said = numbers(service.kind, before, after, ended - begun)
    scheme = _SCHEMES.get(service.kind or name, "")
    return Part(
        name=name,
        state=_state(name, service, said),
        pid=service.process.pid,
        since=wall_clock(service.process.started),
        address=f"{scheme}{LOOPBACK}:{service.port}",
        numbers=said,
        log=service.log,
    )


def _state(name: str, service: ServiceRecord, said: Numbers) -> str:
    if not service.process.runs:
        return "dead"
    if not service.kind:
        return UP if _BROKERS[name](service.port) else "does not answer"
    # The agent has no readiness: it goes on without a broker.
    answer = ask(service.port, "/healthz" if service.kind == AGENT else "/readyz")
    if answer is None:
        return "does not answer"
    if answer.status != 200:  # noqa: PLR2004 HTTP's OK
        return f"not ready: {(answer.body.splitlines() or ['?'])[0]}"
    return said.trouble or UP
