from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks.agent.account import Account, Heard, Name, account, judge, names
from benchmarks.agent.backlog import figures
from benchmarks.agent.board import Probe, agent_toml
from benchmarks.agent.collector import Arrival
from benchmarks.agent.syncs import syncs
from benchmarks.bridge.verify import Verdict
from benchmarks.show import spread
from deploy.errors import ProgramFailedError
from edge_agent.settings.agent import load_agent
from isotherm.contract.event_time import format_event_time
from isotherm.contract.reading import Clock, Origin, Reading, encode

NS = 1_000_000_000
START = 1_479_302_799 * NS
EPOCH = "5f1c" * 4


def line(guid: str, seq: int, moment: int = START) -> bytes:
    return encode(
        Reading(
            guid=guid,
            destination="d",
            state="CA",
            event_time=moment,
            temperature=59.7,
            origin=Origin(epoch=EPOCH, seq=seq, clock=Clock.SYNCED),
        )
    )


def arrived(*seqs: int, guid: str = "a") -> Account:
    return Account([Heard(Name(guid, EPOCH, seq), 0.0, 0.0) for seq in seqs], 0)


def named(*seqs: int, guid: str = "a") -> list[Name]:
    return [Name(guid, EPOCH, seq) for seq in seqs]


def test_the_agent_understands_its_configuration() -> None:
    probes = [Probe("one", "50ms"), Probe('"two"', file=Path("/tmp/a b"))]
    settings = load_agent(tomllib.loads(agent_toml("dev", 12345, Path("o.db"), probes)), {})
    assert (settings.client_id, settings.mqtt.port, settings.outbox) == ("dev", 12345, "o.db")
    assert [(p.guid, p.driver, p.interval) for p in settings.probes] == [
        ("one", "simulated", 0.05),
        ('"two"', "file", 1.0),
    ]


def test_messages_are_taken_apart_and_each_reading_has_its_age() -> None:
    arrivals = [
        Arrival(7.0, START + 3 * NS, line("a", 1) + b"\n" + line("b", 1, START + NS)),
        Arrival(8.0, START + 4 * NS, b"nonsense"),
    ]
    assert account(arrivals) == Account(
        [Heard(Name("a", EPOCH, 1), 7.0, 3.0), Heard(Name("b", EPOCH, 1), 7.0, 2.0)], 1
    )
    assert format_event_time(START).encode() in line("a", 1)
    assert names([line("a", 5), b"", line("b", 2)]) == named(5) + named(2, guid="b")


def test_all_once_in_order_is_good_whether_it_waited_comes_anew_or_waits_still() -> None:
    good = Verdict(0, 0, 0, 0)
    assert judge(arrived(1, 2, 3)) == good
    assert judge(arrived(1, 2, 3), before=named(1, 2), left=named(4, 5)) == good


def test_what_is_lost_doubled_disordered_or_wrong_is_found() -> None:
    assert judge(arrived(1, 3)).lost == 1
    assert judge(arrived(1, 2), before=named(1, 2, 3)).lost == 1
    assert judge(arrived(1, 2), left=named(4)).lost == 1
    assert judge(arrived(1), before=named(1, 2, guid="b")).lost == 2
    assert judge(arrived(1, 2, 2)) == Verdict(0, 1, 0, 0)
    assert judge(arrived(1, 2), left=named(2)).doubled == 1
    assert judge(arrived(2, 1, 3)) == Verdict(0, 0, 1, 0)
    assert not judge(Account(arrived(1).heard, 1)).good


def test_a_backlog_is_timed_from_its_first_message_and_live_readings_only_beside_it() -> None:
    def heard(guid: str, at: float, age: float = 0.0) -> Heard:
        return Heard(Name(guid, EPOCH, 1), at, age)

    found = Account(
        [
            heard("live-0", 9.0, 0.1),
            *[heard("offline-000", 10.0)] * 50,
            heard("live-0", 11.0, 0.5),
            *[heard("offline-000", 12.0)] * 100,
            heard("live-0", 13.0, 0.9),
        ],
        0,
    )
    assert figures(found) == (50.0, [0.5])
    with pytest.raises(ProgramFailedError, match="did not arrive"):
        figures(found.of("live-"))


def test_syncs_are_counted_once_each_and_in_their_span_alone() -> None:
    log = """\
7 99.900000 fdatasync(5) = 0
8 100.000000 fdatasync(5 <unfinished ...>
7 100.100000 fsync(6) = 0
8 100.200000 <... fdatasync resumed>) = 0
8 101.000000 fdatasync(5) = -1 EIO (Input/output error)
8 102.000000 +++ exited with 0 +++
"""
    assert syncs(log, 100.0, 101.0) == 2
    assert syncs(log, 0.0, 200.0) == 4


def test_runs_are_told_as_their_median_and_their_extremes() -> None:
    assert spread([3.0, 1.0, 2.0], ".1f") == "2.0 (1.0-3.0)"
