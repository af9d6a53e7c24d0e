"""The real job between records that nobody should send, killed workers and moved files."""

from __future__ import annotations

import os
import signal
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from aggregator.settings import ledger_beside
from isotherm.contract.fields import MAX_SEQ
from tests.aggregator.support.jobs import lines, running, send, submitted, until
from tests.aggregator.support.records import gap, reading
from tests.support import topic_records
from tests.support.golden import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

POISON = (CASES.parent / "records" / "two-gaps-overflow.jsonl").read_bytes().splitlines()
LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
MANY = 300_000
PORTION = 50_000
WORK_S = 60.0
"""After any hostile record a good one is counted within this; 15 s on a machine that is idle."""


def hostile(stack: Any, topic: str) -> int:
    """Records with keys, values and headers at their bounds; how many get letters."""
    large = {"key": b"k" * 130_000, "value": b"v" * 900_000}
    sent: list[dict[str, Any]] = [
        large,
        {"key": None, "value": None},
        {"key": b"\xff\xfe", "value": b"\xff\xfe"},
        {"key": b"", "value": b""},
        {"key": b"k" * 600_000, "value": None},
        {"value": b"x", "headers": [(f"h{number}", b"v") for number in range(10_000)]},
        {"value": b"x", "headers": [("h", b"v" * 900_000), ("", None)]},
        {"value": b"[" * 60_000},
        {"value": b'{"guid": "\\ud800"}'},
    ]
    producer = Producer({"bootstrap.servers": stack.kafka, "message.max.bytes": 1_040_000})
    for record in sent:
        producer.produce(topic, **record)
    assert producer.flush(30) == 0
    return len(sent)


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    below: list[str] = []
    # Any of them may end while it is looked at.
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                below += children.read_text().split()
    for child in below:
        yield from family(int(child))


def listening(pid: int) -> set[str]:
    """The local addresses, as Linux writes them, at which a family of processes listens."""
    inodes = set()
    for member in family(pid):
        with suppress(OSError):
            for descriptor in Path(f"/proc/{member}/fd").glob("*"):
                with suppress(OSError):
                    link = str(descriptor.readlink())
                    inodes.add(link.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def kill_workers(pid: int) -> None:
    """End the processes in which Spark runs our Python: its daemon's children."""
    daemons = []
    for member in family(pid):
        with suppress(OSError):
            if b"pyspark.daemon" in Path(f"/proc/{member}/cmdline").read_bytes():
                daemons.append(member)
    for worker in daemons[1:]:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def test_the_job_goes_on_through_all_of_it(  # noqa: PLR0915 one start of Spark for all of it
    stack: Any, topic: str, tmp_path: Path
) -> None:
    letters = f"{topic}.dead-letter"
    snapshots = tmp_path / "out" / "s.jsonl"
    # Our tests name loopback; a person does not.
    own = ("env", "-u", "SPARK_LOCAL_IP")
    command = [*own, *submitted(stack, topic, snapshots), "--scope", "both"]

    def total() -> int:
        found = lines(snapshots)
        return int(found[-1]["scopes"]["since_start"]["total_messages"]) if found else -1

    def received() -> int:
        return int(lines(snapshots)[-1]["audit_since_start"]["received"])

    send(stack, topic, [reading("good", seq=1)])
    snapshots.parent.mkdir(mode=0o700)
    output = tmp_path / "out.txt"
    with running(command, output) as job:
        until(lambda: total() == 1, job)
        assert listening(job.pid)
        assert listening(job.pid) <= set(LOOPBACK)
        began = time.monotonic()
        gaps = [gap(f"g{n}", first=1, last=MAX_SEQ, count=MAX_SEQ, seq=1) for n in range(1_100)]
        lettered = hostile(stack, topic) + len(POISON)
        send(stack, topic, [*POISON, *gaps, reading("good", seq=2)])
        until(lambda: received() == 2 + len(gaps), job)
        assert time.monotonic() - began < WORK_S
        audit = lines(snapshots)[-1]["audit_since_start"]
        assert audit["expected"] == len(gaps) * MAX_SEQ + 2 > 2**63
        # logrotate moves the file and sends SIGHUP.
        moved = snapshots.rename(tmp_path / "out" / "s.jsonl.1")
        job.send_signal(signal.SIGHUP)
        until(snapshots.exists, job)
        assert stat.S_IMODE(snapshots.stat().st_mode) & 0o027 == 0
        assert moved.stat().st_size > 0
        # The system kills a worker within a batch.
        for first in range(0, MANY, PORTION):
            numbers = range(first, first + PORTION)
            send(stack, topic, [reading(f"s{n % 500}", seq=n // 500 + 1) for n in numbers])

        def killed() -> bool:
            kill_workers(job.pid)
            return "the query starts again" in output.with_suffix(".err").read_text()

        until(killed, job)
        until(lambda: received() == 2 + len(gaps) + MANY, job)
        until(lambda: total() == 2 + MANY, job)
        job.send_signal(signal.SIGTERM)
        assert job.wait(20) == 0
    said = output.with_suffix(".err").read_text()
    assert "a process that worked for Spark is gone" in said
    assert "STREAM_FAILED" not in said
    assert "py4j" not in said
    checkpoint = snapshots.with_name("ck")
    for path in (checkpoint, ledger_beside(checkpoint)):
        assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0

    def firsts() -> int:
        return sum(r.headers["part"] == b"1" for r in topic_records(stack.kafka, letters))

    assert {int(r.headers["parts"]) for r in topic_records(stack.kafka, letters)} == {1, 2}
    assert firsts() == lettered
    # A power cut that leaves the last commit empty, and a start on the same checkpoint.
    commits = checkpoint / "commits"
    last = max((file for file in commits.iterdir() if file.name.isdecimal()), key=_number)
    last.write_bytes(b"")
    send(stack, topic, [reading("good", seq=3)])
    with running([*command, "--available-now"], tmp_path / "again.txt") as job:
        assert job.wait(120) == 0
    assert (total(), received()) == (3 + MANY, 3 + len(gaps) + MANY)
    assert firsts() == lettered
    assert "empty file of the checkpoint was mended" in (tmp_path / "again.err").read_text()


def _number(file: Path) -> int:
    return int(file.name)
