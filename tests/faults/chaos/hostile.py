"""What strangers send: each kind is one that has stopped some part of some pipeline once.

Makers are pure: they say what is to be sent, and `tests.faults.chaos.stranger` sends it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from isotherm.mqtt.topics import alert_topic, status_topic
from tests.faults.chaos.plan import AGENTS, BRIDGE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

_EPOCH: Final = "00000000000000cc"
_MOST: Final = 2**63 - 1
_MB: Final = 1_000_000


class Message(NamedTuple):
    """An MQTT message, at QoS 1.

    Attributes:
        payload: its bytes.
        topic: where to; empty for a topic of readings that nobody else has.
        retain: whether the broker keeps it.
    """

    payload: bytes
    topic: str = ""
    retain: bool = False


class Record(NamedTuple):
    """A record that is written straight into a topic of Kafka.

    Attributes:
        key: of any bytes.
        value: of any bytes.
        headers: by name.
        snapshots: whether it goes where the job's snapshots go, and not the readings.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    snapshots: bool = False


class Visit(NamedTuple):
    """Somebody connects to the MQTT broker under a name that is another's, and goes away again.

    Attributes:
        client_id: the name; for `BRIDGE`, its own.
        clean: whether it begins a new session, and so erases what waits in the old one.
        seconds: how long it stays.
    """

    client_id: str
    clean: bool
    seconds: float


class HalfOpen(NamedTuple):
    """Connections to every HTTP port, with half a request on each.

    Attributes:
        each: how many to each port.
        seconds: how long they stay.
    """

    each: int
    seconds: float


Parcel = Message | Record | Visit | HalfOpen


def reading(guid: str, /, **changed: str) -> bytes:
    """A reading as JSON; what is given by name stands in it as raw JSON."""
    members = {
        "guid": json.dumps(guid),
        "destination": '"d"',
        "state": '"CA"',
        "eventTime": '"2026-11-30T12:00:00Z"',
        "temperature": "61.5",
        "seq": "1",
        **changed,
    }
    return (
        (
            '{{"guid":{guid},"destination":{destination},"state":{state},"eventTime":{eventTime},'
            '"payload":{{"format":"urn:example:sensor:temp","data":{{"temperature":{temperature}}}}},'
            f'"origin":{{{{"epoch":"{_EPOCH}","seq":{{seq}},"clock":"synced"}}}}}}}}'
        )
        .format(**members)
        .encode()
    )


def gap(guid: str, first: int, last: int, count: int, seq: int = 1) -> bytes:
    """A gap as JSON."""
    data = {"epoch": _EPOCH, "first": first, "last": last, "count": count, "reason": "thin"}
    whole = {
        "guid": guid,
        "destination": "d",
        "state": "CA",
        "eventTime": "2026-11-30T12:00:00Z",
        "payload": {"format": "urn:isotherm:gap:1", "data": data},
        "origin": {"epoch": _EPOCH, "seq": seq, "clock": "synced"},
    }
    return json.dumps(whole).encode()


def _bombs(draw: random.Random, _: int) -> Iterator[Parcel]:
    line = draw.choice((b"{}", b"x"))
    yield Message(b"\n".join([line] * draw.randint(20_000, 200_000)))


def _oversized(draw: random.Random, _: int) -> Iterator[Parcel]:
    for _message in range(draw.randint(1, 4)):
        yield Message(b"x" * draw.randint(_MB // 10, 15 * _MB))


def _gaps(_: random.Random, number: int) -> Iterator[Parcel]:
    # Two of them, since each alone may fit where their sum does not.
    for name in "ab":
        yield Message(gap(f"hostile-gap-{number}-{name}", 1, _MOST, _MOST))


def _numbers(draw: random.Random, number: int) -> Iterator[Parcel]:
    for name in "ab":
        yield Message(reading(f"hostile-seq-{number}-{name}", seq=str(_MOST)))
    absurd = ("1e999", "-1e400", "9" * 5_000, "1e-400", f"1{'0' * 400}")
    yield Message(reading("hostile-number", temperature=draw.choice(absurd)))
    yield Message(reading("hostile-number", seq="9" * 5_000))


def _constants(draw: random.Random, _: int) -> Iterator[Parcel]:
    for word in draw.sample(("NaN", "Infinity", "-Infinity", "nan"), 2):
        yield Message(reading("hostile-constant", temperature=word))


def _surrogates(draw: random.Random, _: int) -> Iterator[Parcel]:
    for place in ("guid", "state", "destination"):
        half = draw.choice(("\\ud800", "\\udfff"))
        yield Message(reading("hostile-surrogate", **{place: f'"{half}"'}))


def _nesting(draw: random.Random, _: int) -> Iterator[Parcel]:
    depth = draw.randint(600, 100_000)
    yield Message(b"[" * depth)
    yield Message(b'{"a":' * min(depth, 10_000) + b"1" + b"}" * min(depth, 10_000))


def _garbage(draw: random.Random, _: int) -> Iterator[Parcel]:
    for payload in draw.sample((b"", b"\n\n", b"\xff\xfe\xfd", b"\0" * 50, b"null", b'""'), 3):
        yield Message(payload)


def _keys(draw: random.Random, _: int) -> Iterator[Parcel]:
    yield Record(b"k" * 130_000, b"v" * 900_000)
    yield Record(draw.randbytes(draw.randint(1, 50)), b"{}")


def _nulls(_: random.Random, number: int) -> Iterator[Parcel]:
    yield Record(None, None)
    yield Record(b"\xff\xfe", None)
    yield Record(None, reading(f"hostile-keyless-{number}"))


def _headers(_: random.Random, __: int) -> Iterator[Parcel]:
    many = tuple((f"h{number}", b"x" * 2_000) for number in range(200))
    yield Record(b"key", b"with headers", many)
    yield Record(b"key", b"with one", (("h" * 30_000, b"\xff" * 500_000),))


def _statuses(draw: random.Random, _: int) -> Iterator[Parcel]:
    forged = {
        "schema": "isotherm.status/1",
        "online": True,
        "epoch": draw.randbytes(8).hex(),
        "next_id": draw.randint(1, _MOST),
        "life": draw.randbytes(8).hex(),
    }
    for payload in (b"[" * 100_000, b'{"schema":"\\ud800"}', json.dumps(forged).encode()):
        yield Message(payload, status_topic(draw.choice(AGENTS)), retain=True)


def _alerts(draw: random.Random, _: int) -> Iterator[Parcel]:
    state = draw.choice(("CA", "TX", "fleet"))
    yield Message(b"[" * 100_000, alert_topic("state-too-hot", state), retain=True)
    yield Message(b"x" * _MB, alert_topic("hostile", state), retain=True)
    yield Message(b'{"state":"\\ud800"}', alert_topic("state-too-cold", state), retain=True)


def _twins(draw: random.Random, _: int) -> Iterator[Parcel]:
    victim = draw.choice(AGENTS)
    for _turn in range(3):
        yield Visit(victim, clean=True, seconds=draw.uniform(0.1, 1.5))


def _thieves(draw: random.Random, _: int) -> Iterator[Parcel]:
    # With a clean start it would erase what waits: that loses by nature.
    yield Visit(BRIDGE, clean=False, seconds=draw.uniform(0.1, 2.0))


def _snapshots(draw: random.Random, _: int) -> Iterator[Parcel]:
    wire = {
        "schema": "isotherm.snapshot/1",
        "query_id": "hostile",
        "batch_id": 2,
        "window": {"start": "2026-11-30T14:00:00Z", "end": "2026-11-30T14:00:03Z"},
        "scopes": {"window": {"average_temperature_by_state": [["CA", 1.5]], "total_messages": 1}},
    }
    text = json.dumps(wire)
    for value in (
        text.replace("1.5", f"1{'0' * 400}"),
        text.replace('"hostile"', '"\\ud800"'),
        text.replace('"CA"', '"\\udfff"'),
        text.replace('"window":{"av', '"\\ud800":{"av'),
        text.replace("T14", "T99"),
        "[" * draw.randint(1_000, 100_000),
        "{}",
        "null",
    ):
        yield Record(b"window", value.encode(), snapshots=True)
    yield Record(None, None, snapshots=True)


def _clients(draw: random.Random, _: int) -> Iterator[Parcel]:
    yield HalfOpen(draw.randint(50, 300), draw.uniform(2.0, 8.0))


_MAKERS: Final[dict[str, Callable[[random.Random, int], Iterator[Parcel]]]] = {
    "bombs": _bombs,
    "oversized": _oversized,
    "gaps": _gaps,
    "numbers": _numbers,
    "constants": _constants,
    "surrogates": _surrogates,
    "nesting": _nesting,
    "garbage": _garbage,
    "keys": _keys,
    "nulls": _nulls,
    "headers": _headers,
    "statuses": _statuses,
    "alerts": _alerts,
    "twins": _twins,
    "thieves": _thieves,
    "snapshots": _snapshots,
    "clients": _clients,
}
KINDS: Final = tuple(_MAKERS)


def parcels(kind: str, draw: random.Random, number: int) -> list[Parcel]:
    """What is sent once.

    Args:
        kind: one of `KINDS`.
        draw: decides sizes and the like.
        number: of the action in the run, so that no two are alike.
    """
    return list(_MAKERS[kind](draw, number))
