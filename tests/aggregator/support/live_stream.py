"""A fleet that goes on sending as the bridge writes: in transactions, of which some are aborted."""

from __future__ import annotations

import itertools
import random
import threading
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import Producer

from tests.aggregator.support.records import BAD, reading
from tests.support import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

SENSORS: Final = 60
EACH: Final = 100
"""Records in a transaction."""


class LiveStream:
    """Sends until its block ends; then everything that it committed is in `sent`.

    Args:
        kafka: HOST:PORT.
        topic: the topic.
        pause: seconds between transactions.
    """

    def __init__(self, kafka: str, topic: str, *, pause: float = 0.05) -> None:
        self.sent: list[bytes] = []
        self._topic = topic
        self._pause = pause
        self._draw = random.Random(7)
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "transactional.id": unique("stream"),
                # It tells of each retry on stderr.
                "log_level": 0,
            }
        )
        self._producer.init_transactions(30)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            for number, records in enumerate(self._transactions()):
                self._producer.begin_transaction()
                for key, value in records:
                    self._producer.produce(self._topic, value=value, key=key)
                if number % 10 == 9:
                    self._producer.flush(30)
                    self._producer.abort_transaction(30)
                else:
                    self._producer.commit_transaction(30)
                    self.sent += [value for _, value in records]
                if self._stop.wait(self._pause):
                    return
        except BaseException as error:  # noqa: BLE001 whoever waits for the thread shall have it
            self._failure = error

    def _transactions(self) -> Iterator[list[tuple[str, bytes]]]:
        seqs = [0] * SENSORS
        for number in itertools.count():
            records = [("bad", BAD[number % len(BAD)])]
            for _ in range(EACH - 1):
                sensor = self._draw.randrange(SENSORS)
                seqs[sensor] += 1
                records.append(
                    (
                        f"s{sensor}",
                        reading(
                            f"s{sensor}",
                            ("AK", "CA", "NV")[sensor % 3],
                            round(self._draw.uniform(-40, 120), 2),
                            seq=seqs[sensor],
                        ),
                    )
                )
            # Some come twice, as from an agent that was killed.
            yield [*records, *records[1:4]]
