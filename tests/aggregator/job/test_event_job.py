"""The event window under a real spark-submit, on a real Kafka, over a restart and a rebuild."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from aggregator.analytics.scopes import Sliding
from aggregator.kafka.checkpoint import read_checkpoint
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import opened, problems
from aggregator.stream.session import packages
from isotherm.contract.event_time import format_event_time
from tests.aggregator.analytics.test_snapshot import SCHEMA
from tests.aggregator.support.event_oracle import EventOracle, at, made
from tests.aggregator.support.jobs import analytics, execute, lines, send, submit
from tests.aggregator.support.oracle import analytics as plain
from tests.aggregator.support.records import BAD, assert_same

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SLIDING = Sliding(span=60, delay=2.0, future=60.0)
NOW = at(1e8)
"""Far behind the readings, as an old topic is."""
FIRST = [
    *BAD,
    *(
        made(tick / 3, f"s{tick % 7}", ("AK", "CA", "NV")[tick % 7 % 3], seq=tick // 7 + 1)
        for tick in range(300)
    ),
    made(12.5),
]
SECOND = [
    *(made(tick / 3, f"s{tick % 7}", "CA", seq=tick // 7 + 1) for tick in range(280, 400)),
    made(96.999999, "late", seq=1),
    made(97, "not late", seq=1),
    made(110, "odd \u00e9"),
    made(3e9, "fast", seq=1),
    b"{}",
]


def test_the_window_is_what_a_plain_count_makes_of_it(
    stack: Any, topic: str, tmp_path: Path
) -> None:
    flags = [
        *("--kafka", stack.kafka, "--topic", topic, "--checkpoint", tmp_path / "ck"),
        *("--scope", "window,event:1m", "--watermark", "2s"),
    ]
    job = [
        *("--packages", packages(), "aggregator/job.py", *flags),
        *("--snapshots", tmp_path / "s.jsonl", "--available-now"),
    ]
    oracle = EventOracle(SLIDING)
    for records in (FIRST, SECOND):
        send(stack, topic, records, partition=0)
        done = submit(*job)
        assert done.returncode == 0, done.stderr
        oracle.add([records], NOW)
        last = lines(tmp_path / "s.jsonl")[-1]
        jsonschema.validate(last, SCHEMA)
        assert list(last["scopes"]) == ["window", "event"]
        assert_same(analytics(last["scopes"]["event"]), oracle.analytics())
        assert oracle.watermark is not None
        assert last["event_window"] == {
            "start": format_event_time((oracle.end or 0) - 60_000_000_000),
            "end": format_event_time(oracle.end or 0),
            "watermark": format_event_time(oracle.watermark),
            "too_late": oracle.too_late,
            "ahead": oracle.ahead,
            "exact_from": None,
        }
    assert (oracle.too_late, oracle.ahead) == (1, 1)
    assert "Left out since it began: 1 too late, 1 too far ahead" in done.stdout

    # Who reads the topic again has what came too late then.
    entry = "import sys; from aggregator.cli.main import main; sys.exit(main())"
    done = execute(sys.executable, "-c", entry, "ledger", "rebuild", *flags)
    assert done.returncode == 0, done.stderr
    ledger_file = tmp_path / "ck.ledger.duckdb"
    with opened(ledger_file) as connection:
        assert problems(connection, read_checkpoint(tmp_path / "ck")) == []
    end = oracle.end or 0
    whole = [
        reading
        for reading in oracle.oracle.readings
        if end - 60_000_000_000 <= reading.event_time < end
    ]
    assert len(whole) == len(oracle.readings()) + 1
    with Ledger(ledger_file, SLIDING) as ledger:
        found, window = ledger.event(), ledger.event_window()
        assert found is not None
        assert window is not None
        assert_same(found, plain(whole))
        assert window.end == format_event_time(end)
        assert (window.too_late, window.ahead, window.exact_from) == (0, 1, None)
