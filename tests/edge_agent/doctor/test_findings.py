"""What the agent's doctor says of facts."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.doctor.broker import BrokerFacts, check_broker, check_note
from edge_agent.doctor.outbox import OutboxFacts, check_outbox, look_at_outbox
from edge_agent.doctor.probes import check_probes
from edge_agent.doctor.unit import check_unit
from edge_agent.mqtt.broker.note import BrokerNote, decode_note
from edge_agent.probes.fault import Fault
from edge_agent.probes.status import ProbeStatus
from isotherm.mqtt.status import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from isotherm.doctor.finding import Finding

GOOD = OutboxFacts(in_use=True, waiting=3, used=1 << 20, sync_s=0.002, free=1 << 34, kind="ext4")
MISSING = ProbeStatus(Fault.MISSING, "/sys: No such file", 0, 0, {Fault.MISSING: 1}, 0)


def bad(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(f.mark.value, f.check, f.sentence) for f in findings if f.mark != "ok"]


def outbox(**facts: Any) -> list[tuple[str, str, str]]:
    given = {name: getattr(GOOD, name) for name in OutboxFacts.__dataclass_fields__}
    found = check_outbox(
        OutboxFacts(**{**given, **facts}),
        path="outbox.db",
        max_bytes=256 << 20,
        min_free=64 << 20,
        commit_s=1.0,
    )
    return bad(found)


def broker(
    *, in_use: bool = False, note: BrokerNote | None = None, **facts: Any
) -> list[tuple[str, str, str]]:
    found = check_broker(
        BrokerFacts(**facts),
        url="mqtt://h:1883",
        device="pi",
        window=100,
        boot="b1",
        in_use=in_use,
        note=note,
    )
    return bad(found)


def status(**fields: object) -> bytes:
    return json.dumps({"schema": SCHEMA, "online": True, "boot": "b1", **fields}).encode()


def test_a_good_outbox_is_all_ok() -> None:
    assert outbox() == outbox(waiting=None, in_use=False, used=0) == []


@pytest.mark.parametrize(
    ("facts", "mark", "words"),
    (
        ({"unwritable": "/x: Read-only file system"}, "fail", "in memory alone"),
        ({"kind": "tmpfs"}, "warn", "lost at a power cut"),
        ({"kind": "nfs4"}, "warn", "another machine"),
        ({"sync_s": 0.8}, "warn", "raise outbox.commit_interval"),
        ({"free": 1 << 20}, "fail", "below outbox.min_free_bytes"),
        ({"free": 100 << 20}, "warn", "can grow to 37 MiB"),
        ({"unreadable": "outbox.db cannot be read: file is not a database"}, "warn", "salvages"),
    ),
)
def test_what_is_wrong_with_an_outbox_is_said(facts: Any, mark: str, words: str) -> None:
    ((found, _, sentence),) = outbox(**facts)
    assert found == mark
    assert words in sentence


def test_a_file_that_is_no_outbox_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"x" * 4096)
    facts = look_at_outbox(path)
    assert "cannot be read" in facts.unreadable
    assert facts.used == 4096
    assert [entry.name for entry in tmp_path.iterdir()] == ["outbox.db"]


def test_a_place_that_is_not_there_yet_is_made_by_the_agent(tmp_path: Path) -> None:
    facts = look_at_outbox(tmp_path / "new" / "outbox.db")
    assert (facts.waiting, facts.unwritable) == (None, "")
    assert not (tmp_path / "new").exists()


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in look_at_outbox(tmp_path / "file" / "outbox.db").unwritable


def test_each_probe_of_a_board_has_its_line() -> None:
    found = list(check_probes({"a": "w1", "b": "file"}, {"a": 50.0}, {"b": MISSING}))
    assert [(f.mark.value, f.check) for f in found] == [("ok", "probe"), ("fail", "probe")]
    assert found[0].sentence == "a (w1): 10.00 °C, 50.00 °F"
    assert found[1].sentence.startswith("b (file): missing (/sys: No such file); ")


def test_very_many_probes_are_summed_up() -> None:
    drivers = {f"g{n}": "w1" for n in range(100)}
    well = {f"g{n}": 50.0 for n in range(70)}
    found = list(check_probes(drivers, well, dict.fromkeys(drivers, MISSING)))
    assert found[0].sentence == "70 of 100 gave a temperature"
    assert len(found) == 22
    assert found[-1].sentence.startswith("10 more have a fault")


def test_a_broker_that_is_away_is_a_dependency() -> None:
    (found,) = check_broker(
        BrokerFacts(away="Connection refused"),
        url="mqtt://h:1883",
        device="pi",
        window=1,
        boot="b1",
        in_use=False,
    )
    assert (found.mark, found.dependency) == ("fail", True)
    assert found.sentence == (
        "mqtt://h:1883: Connection refused; see whether the broker runs, and mqtt.url"
    )


def test_nobody_else_with_our_name_is_well() -> None:
    assert broker() == []
    assert broker(retained=status(online=False, boot="b2")) == []
    assert broker(retained=status(), in_use=True) == []


def test_another_board_with_our_name_is_found() -> None:
    ((mark, check, sentence),) = broker(retained=status(boot="b2"), in_use=True)
    assert (mark, check) == ("fail", "client id")
    assert "another board is connected as pi" in sentence


def test_another_agent_of_this_board_with_our_name_is_found() -> None:
    ((mark, _, sentence),) = broker(retained=status())
    assert mark == "fail"
    assert "with another outbox" in sentence


@pytest.mark.parametrize(
    "retained",
    (
        b"no status",
        b"[" * 100_000,
        b'{"schema":"isotherm.status/1","next_id":' + b"9" * 5000 + b"}",
    ),
)
def test_what_is_no_status_of_ours_is_said(retained: bytes) -> None:
    ((mark, check, sentence),) = broker(retained=retained)
    assert (mark, check) == ("warn", "client id")
    assert "see who else may publish there" in sentence


@pytest.mark.parametrize("time", ("\x1b[2J", "\ud800", "x" * 100_000, 5, None))
def test_nothing_of_a_foreign_status_reaches_the_terminal(time: object) -> None:
    ((_, _, sentence),) = broker(retained=status(boot="b2", time=time))
    assert "a time that cannot be read" in sentence


NOTE = BrokerNote(connected=True, receive_maximum=200, own_status=True)


def test_a_status_that_is_not_shown_to_the_doctor_may_be_there() -> None:
    def last(**more: Any) -> str:
        found = check_broker(BrokerFacts(), url="u", device="pi", window=1, boot="b1", **more)
        return [finding.sentence for finding in found][-1]

    assert "there is none yet, or its rules let the client id pi alone read it" in last(
        in_use=False
    )
    assert "reads its status; the broker does not show it" in last(in_use=True, note=NOTE)


@pytest.mark.parametrize(
    ("facts", "check", "words"),
    (
        ({"maximum_qos": 0}, "mqtt qos", "delivery cannot be promised"),
        ({"retain": False}, "mqtt retain", "keeps no retained messages"),
        ({"will_lack": "no will"}, "mqtt will", "no will"),
        ({"version": "3.1.1"}, "mqtt version", "does not say whether anybody gets a reading"),
    ),
)
def test_what_the_broker_does_not_do_is_a_warning(facts: Any, check: str, words: str) -> None:
    ((mark, found, sentence),) = broker(**facts)
    assert (mark, found) == ("warn", check)
    assert words in sentence


def noted(note: BrokerNote | None) -> list[tuple[str, str, str]]:
    return bad(check_note(note, url="u", device="pi", window=100, name="mqtt.username"))


def test_a_running_agent_s_own_note_is_judged_as_a_connection_is() -> None:
    assert noted(NOTE) == []
    assert decode_note(json.dumps(asdict(NOTE))) == NOTE
    ((mark, check, _),) = noted(replace(NOTE, rival=True))
    assert (mark, check) == ("fail", "client id")
    ((mark, check, _),) = noted(replace(NOTE, maximum_qos=0))
    assert (mark, check) == ("warn", "mqtt qos")
    ((mark, check, sentence),) = noted(BrokerNote(connected=False, why="refused"))
    assert (mark, sentence) == ("fail", "u: the agent that runs here says: refused")


@pytest.mark.parametrize("text", (None, "", "5", "{}", '{"connected": true}'))
def test_a_note_of_another_version_is_none(text: object) -> None:
    assert decode_note(text) is None
    ((mark, _, sentence),) = noted(None)
    assert mark == "warn"
    assert "stop the agent, and ask again" in sentence


def test_a_status_that_may_not_be_read_is_a_warning() -> None:
    ((mark, check, _),) = broker(unreadable="not authorized")
    assert (mark, check) == ("warn", "mqtt status")


RUNS = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "NRestarts": "0",
    "Result": "success",
}


@pytest.mark.parametrize(
    ("facts", "marks"),
    (
        (None, ["ok"]),
        (RUNS, ["ok"]),
        ({"LoadState": "not-found"}, ["warn"]),
        (RUNS | {"ActiveState": "inactive"}, ["warn"]),
        (RUNS | {"ActiveState": "failed", "Result": "exit-code"}, ["fail"]),
        (RUNS | {"UnitFileState": "disabled"}, ["ok", "warn"]),
    ),
)
def test_the_unit_of_systemd(facts: Any, marks: list[str]) -> None:
    assert [finding.mark.value for finding in check_unit(facts)] == marks
