"""The dead-letter topic on a real Kafka, and the twin, in one suite where both can."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stub
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from aggregator.dead_letters.kafka_topic import KafkaBox
from aggregator.dead_letters.letter import NO_MARK, Flood, Mark, Record, Source
from aggregator.dead_letters.refetch import KafkaReader
from aggregator.dead_letters.writer import DeadLetters, MemoryBox
from aggregator.errors import DeadLetterError, FencedError
from aggregator.stream.workers.partial_sums import SCHEMA
from isotherm.kafka.access import KafkaAccess
from isotherm.log import Log
from tests.support import topic_records, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aggregator.dead_letters.writer import Box

pytestmark = pytest.mark.integration

HEADERS = (("reason", b"not_json"), ("part", b"1"))


def letters(*values: bytes) -> list[Record]:
    return [Record(b"key", value, HEADERS) for value in values]


class Place:
    """A dead-letter topic and the topic of its readings."""

    def __init__(self, stack: Any, topic: str) -> None:
        self.stack, self.topic = stack, topic
        self.letters = f"{topic}.dead-letter"
        self.stop = threading.Event()

    def box(self) -> KafkaBox:
        return KafkaBox(KafkaAccess(brokers=self.stack.kafka), self.letters, self.topic, self.stop)


@pytest.fixture
def place(stack: Any, topic: str) -> Place:
    return Place(stack, topic)


@pytest.fixture(params=("memory", "kafka"))
def boxes(request: pytest.FixtureRequest) -> Iterator[Callable[[], Box]]:
    """Makes boxes that look at one topic."""
    if request.param == "memory":
        twin = MemoryBox()
        yield lambda: twin
        return
    place: Place = request.getfixturevalue("place")
    made = []

    def make() -> Box:
        made.append(place.box())
        return made[-1]

    yield make
    for box in made:
        box.close()


def test_the_mark_is_read_back_by_the_next_life_of_that_query(boxes: Callable[[], Box]) -> None:
    box = boxes()
    assert box.open("q") == NO_MARK
    box.put(letters(b"a", b"b"), Mark(0, {0: 7}))
    box.put(letters(b"c"), Mark(0, {0: 9, 1: 3}))
    assert boxes().open("q") == Mark(0, {0: 9, 1: 3})
    assert boxes().open("other") == NO_MARK


def test_letters_stand_there_with_key_bytes_and_headers(place: Place) -> None:
    box = place.box()
    box.open("q")
    box.put([*letters(b"\xff"), Record(None, None, HEADERS)], Mark(0, {0: 1}))
    box.close()
    assert [record[:3] for record in topic_records(place.stack.kafka, place.letters)] == [
        (b"key", b"\xff", dict(HEADERS)),
        (None, None, dict(HEADERS)),
    ]


def test_what_a_dead_life_left_open_is_undone(place: Place) -> None:
    dead, heir = place.box(), place.box()
    dead.open("q")
    dead.put(letters(b"kept"), Mark(0, {0: 1}))
    # As if it hung between the letters and the commit.
    producer: Any = dead._producer  # noqa: SLF001 where a crash would be
    producer.begin_transaction()
    producer.produce(place.letters, b"undone")
    producer.flush(10)
    assert heir.open("q") == Mark(0, {0: 1})
    heir.put(letters(b"new"), Mark(0, {0: 2}))
    heir.close()
    found = topic_records(place.stack.kafka, place.letters)
    assert [record.value for record in found] == [b"kept", b"new"]


def test_a_life_that_has_a_successor_is_shut_out(place: Place) -> None:
    older, heir = place.box(), place.box()
    older.open("q")
    heir.open("q")
    with pytest.raises(FencedError, match="another job runs with this checkpoint"):
        older.put(letters(b"too late"), Mark(0, {0: 1}))
    heir.close()
    assert not topic_records(place.stack.kafka, place.letters)


def test_a_missing_topic_is_a_sentence_and_found_once_it_is_made(place: Place) -> None:
    name = unique("none")
    box = KafkaBox(KafkaAccess(brokers=place.stack.kafka), name, place.topic, place.stop)
    with pytest.raises(DeadLetterError, match=f"topic {name} does not exist; create it"):
        box.open("q")
    box.close()
    place.stack.create_topics(name)
    assert box.open("q") == NO_MARK
    box.close()


def test_a_topic_that_refuses_a_letter_gets_none_of_the_transaction(place: Place) -> None:
    limit(place, "1000")
    box = place.box()
    box.open("q")
    with pytest.raises(DeadLetterError, match=f"topic {place.letters} .* raise its max.message"):
        box.put(letters(b"small", b"x" * 5000), Mark(0, {0: 2}))
    box.close()
    limit(place, "1048588")
    assert box.open("q") == NO_MARK
    box.put(letters(b"small", b"x" * 5000), Mark(0, {0: 2}))
    box.close()
    assert len(topic_records(place.stack.kafka, place.letters)) == 2


@pytest.mark.parametrize("most", (1_048_588, 50_000))
def test_what_kafka_takes_as_a_record_it_takes_as_a_letter(place: Place, most: int) -> None:
    limit(place, str(most))
    came = [
        Source(0, offset, key, value)
        for offset, (key, value) in enumerate(
            (
                (b"k" * 130_000, b"v" * 900_000),
                (b"\xff", None),
                (None, b"v" * 1_000_000),
                (b"", b""),
            )
        )
    ]
    rows = pa.Table.from_pylist(
        [
            {"partition": 0, "offset": offset, "raw_key": key, "raw": value}
            for _, offset, key, value in came
        ],
        SCHEMA,
    )
    letters = DeadLetters(
        place.box(),
        lambda _flood: iter(()),
        topic=place.topic,
        clock=lambda: 0,
        stop=threading.Event(),
        log=Log("test"),
    )
    letters.write("q", 0, rows)
    letters.close()
    assert letters.written == len(came)
    whole: dict[bytes, bytes] = defaultdict(bytes)
    for record in topic_records(place.stack.kafka, place.letters):
        whole[record.headers["offset"]] += record.value or b""
    assert whole == {
        b"0": b"k" * 130_000 + b"v" * 900_000,
        b"1": b"",
        b"2": b"v" * 1_000_000,
        b"3": b"",
    }


def limit(place: Place, size: str) -> None:
    entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("topic", place.letters, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": place.stack.kafka})
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(timeout=10)


def test_a_range_is_read_again_without_what_was_never_committed(place: Place) -> None:
    producer = Producer({"bootstrap.servers": place.stack.kafka, "transactional.id": place.topic})
    producer.init_transactions(10)
    for number, commit in enumerate((True, False, True, True)):
        producer.begin_transaction()
        for part in range(3):
            producer.produce(place.topic, b"%d.%d" % (number, part), b"k", 1)
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(10)
    reader = KafkaReader(KafkaAccess(brokers=place.stack.kafka), place.topic, place.stop)
    # Behind each transaction's three records stands a marker.
    found = [(source.offset, source.value) for source in reader(Flood(1, 1, 9))]
    assert found == [(1, b"0.1"), (2, b"0.2"), (8, b"2.0"), (9, b"2.1")]
    assert next(iter(reader(Flood(1, 0, 0)))).key == b"k"


def test_a_range_that_is_gone_is_a_sentence(place: Place) -> None:
    reader = KafkaReader(KafkaAccess(brokers=place.stack.kafka), place.topic, place.stop)
    with pytest.raises(DeadLetterError, match="cannot be read again from topic"):
        list(reader(Flood(0, 50, 60)))
