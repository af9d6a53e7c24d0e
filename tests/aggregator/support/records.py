"""Records for these tests, and a plain Python oracle for what they must come to."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.tally import Tally, tally
from aggregator.stream.workers.partial_sums import SCHEMA, partials
from isotherm import contract
from isotherm.contract import Clock, Gap, Origin, Reading, Rejection, encode
from tests.aggregator.support.oracle import analytics

EPOCH = "00000000000000a1"
SECOND = 1_000_000_000
BAD = (
    b"not json",
    b"",
    b"[1]",
    b"\xff\xfe",
    b"{}",
    encode(Reading(guid="g", destination="d", state="CA", event_time=0, temperature=1.0)).replace(
        b'"CA"', b'"XX"'
    ),
    *(
        encode(
            Reading(guid="g", destination="d", state="CA", event_time=0, temperature=1.5)
        ).replace(b"1.5", text)
        for text in (b"NaN", b"1e999", b'"51.5"', b"311", b"true")
    ),
)


def reading(
    guid: str = "g1",
    state: str = "CA",
    temperature: float = 60.0,
    *,
    seq: int | None = None,
    event_time: int = 1_479_302_799_447_974_000,
    clock: Clock = Clock.SYNCED,
    epoch: str = EPOCH,
) -> bytes:
    origin = None if seq is None else Origin(epoch=epoch, seq=seq, clock=clock)
    return encode(
        Reading(
            guid=guid,
            destination="d",
            state=state,
            event_time=event_time,
            temperature=temperature,
            origin=origin,
        )
    )


def gap(guid: str = "g1", *, first: int, last: int, count: int, seq: int = 99) -> bytes:
    return encode(
        Gap(
            guid=guid,
            destination="d",
            state="CA",
            event_time=1_479_302_799_447_974_000,
            epoch=EPOCH,
            first=first,
            last=last,
            count=count,
            reason="drop_oldest",
            origin=Origin(epoch=EPOCH, seq=seq, clock=Clock.SYNCED),
        )
    )


def batch(records: Iterable[bytes | None]) -> Any:
    return pa.RecordBatch.from_pydict({"value": pa.array(list(records), pa.binary())})


def summed(*groups: Iterable[bytes | None], schema: pa.Schema = SCHEMA) -> Any:
    """The workers' rows, as if each group were a partition."""
    rows = [row for group in groups for row in partials([batch(group)], schema=schema)]
    return pa.Table.from_batches(rows, schema)


def tallied(*groups: Iterable[bytes | None], schema: pa.Schema = SCHEMA) -> Tally:
    return tally(summed(*groups, schema=schema))


def oracle(records: Iterable[bytes]) -> Analytics:
    """What the readings among records come to."""
    verdicts = map(contract.judge, records)
    return analytics(verdict for verdict in verdicts if isinstance(verdict, Reading))


def reasons(records: Iterable[bytes]) -> dict[str, int]:
    verdicts = map(contract.judge, records)
    return dict(
        Counter(verdict.reason.value for verdict in verdicts if isinstance(verdict, Rejection))
    )


def assert_same(found: Analytics, expected: Analytics) -> None:
    """Equal, averages to 1e-9; two averages that near may stand in either order."""
    assert found.total_messages == expected.total_messages
    assert found.total_sensors == expected.total_sensors
    assert found.sensors_by_state == expected.sensors_by_state
    assert found.further == expected.further
    by_state = dict(expected.average_temperature_by_state)
    assert dict(found.average_temperature_by_state).keys() == by_state.keys()
    for state, average in found.average_temperature_by_state:
        assert math.isclose(average, by_state[state], rel_tol=0, abs_tol=1e-9), state
    in_order = [average for _, average in found.average_temperature_by_state]
    assert in_order == sorted(in_order, reverse=True)


def source(partition: int, records: Iterable[tuple[int, bytes | None, bytes | None]]) -> Any:
    """A batch as the Kafka source gives it, of (offset, key, value)."""
    offsets, keys, values = zip(*records, strict=True)
    return pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "key": pa.array(keys, pa.binary()),
            "partition": pa.array([partition] * len(offsets), pa.int32()),
            "offset": pa.array(offsets, pa.int64()),
        }
    )
