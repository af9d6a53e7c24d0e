"""What the aggregator's doctor says of facts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Uuid

from aggregator.doctor.folders import Place, check_place, look, wanted
from aggregator.doctor.kafka import KafkaFacts, Where, check_kafka
from aggregator.doctor.kafka_client import as_java_writes, whole
from aggregator.doctor.machine import available_bytes, check_machine
from aggregator.doctor.programs import check_programs, check_version, required_version, why
from aggregator.doctor.state import State
from aggregator.kafka.availability import Extent
from aggregator.ledger.ledger import Ledger
from aggregator.settings import AggregatorSettings
from isotherm.doctor.topic import TopicFacts
from isotherm.settings.table import load
from tests.aggregator.support.records import reading, tallied

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isotherm.doctor.finding import Finding

GIB = 1 << 30
GOOD = TopicFacts(2, 3, 3, 0, min_in_sync=2, retention_s=604_800.0)
EXTENT = Extent(topic_id="id", first={0: 10, 1: 0}, end={0: 100, 1: 50})


def settings(folder: Path, **more: str) -> AggregatorSettings:
    flags = {"kafka": "h:9092", "checkpoint": str(folder / "checkpoint"), **more}
    return load(AggregatorSettings, "X", environ={}, flags=flags)


def bad(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(f.mark.value, f.check, f.sentence) for f in findings if f.mark != "ok"]


def kafka(where: Where | None = None, **facts: Any) -> list[tuple[str, str, str]]:
    good: dict[str, Any] = {
        "nodes": ("h:9092",),
        "topics": {"t": GOOD, "t.dead-letter": GOOD},
        "extent": EXTENT,
    }
    found = check_kafka(
        KafkaFacts(**{**good, **facts}),
        brokers="h:9092",
        topic="t",
        others={"t.dead-letter": "--dead-letters off"},
        where=where or Where({0: 90, 1: 50}, "id"),
    )
    return bad(found)


def test_a_good_kafka_is_all_ok() -> None:
    assert kafka() == kafka(Where({}, None)) == kafka(oldest_s=60.0) == []


def test_a_kafka_that_is_away_is_a_dependency() -> None:
    (found,) = check_kafka(
        KafkaFacts(unreachable="refused"),
        brokers="h:9092",
        topic="t",
        others={},
        where=Where({}, None),
    )
    assert found.dependency
    assert found.sentence == "h:9092: refused"


def test_a_missing_topic_of_letters_names_the_way_without() -> None:
    ((mark, _, sentence),) = kafka(topics={"t": GOOD})
    assert mark == "fail"
    assert "t.dead-letter does not exist" in sentence
    assert "or --dead-letters off" in sentence


def test_records_that_were_deleted_before_they_were_counted_are_said() -> None:
    ((mark, check, sentence),) = kafka(Where({0: 4, 1: 50}, "id"))
    assert (mark, check) == ("fail", "kafka records")
    assert "6 of partition 0" in sentence
    assert "--accept-loss" in sentence


def test_a_topic_that_was_made_anew_is_said() -> None:
    ((mark, _, sentence),) = kafka(Where({0: 90, 1: 50}, "another"))
    assert mark == "fail"
    assert "was made anew" in sentence
    assert kafka(Where({0: 101, 1: 50}, "id"))[0][2] == sentence


def test_a_topic_s_id_is_compared_as_the_job_notes_it() -> None:
    # Java's Uuid.toString of these bits; librdkafka says ////////////////////+w.
    assert as_java_writes(Uuid(-1, -5)) == "____________________-w"


def test_records_that_will_soon_be_deleted_are_a_warning() -> None:
    ((mark, check, sentence),) = kafka(oldest_s=6 * 86_400.0)
    assert (mark, check) == ("warn", "kafka lag")
    assert "not counted: 10, the oldest 6 days old; Kafka keeps records for 7 days" in sentence


@pytest.mark.parametrize(
    ("memory", "cores", "partitions", "words"),
    (
        (GIB, 2, 4, "1.0 GiB available"),
        (8 * GIB, 8, 4, "so 4 stand idle"),
        (8 * GIB, 1, 12, "fewer would do"),
    ),
)
def test_a_machine_that_does_not_fit(memory: int, cores: int, partitions: int, words: str) -> None:
    ((mark, _, sentence),) = bad(check_machine(memory, cores, partitions))
    assert mark == "warn"
    assert words in sentence


def test_a_machine_that_fits() -> None:
    assert bad(check_machine(8 * GIB, 2, 4)) == bad(check_machine(None, 2, None)) == []
    assert available_bytes()


def test_what_is_written_where(tmp_path: Path) -> None:
    chosen = settings(tmp_path, scope="both", snapshots="s.jsonl", history="h")
    names = [name for name, _, _ in wanted(chosen)]
    assert names == ["--checkpoint", "--ledger", "--snapshots", "--history"]
    remote = settings(tmp_path, checkpoint="s3a://bucket/x", latest="l.json")
    assert [name for name, _, _ in wanted(remote)] == ["--latest"]


@pytest.mark.parametrize(
    ("place", "mark", "words"),
    (
        ({"why": "/x is a file"}, "fail", "cannot be written: /x is a file"),
        ({"free": 1 << 20}, "warn", "1 MiB free"),
        ({"kind": "nfs4"}, "warn", "lies on another machine (nfs4)"),
        ({"kind": "tmpfs"}, "warn", "after a reboot"),
    ),
)
def test_a_place_that_does_not_serve(
    tmp_path: Path, place: dict[str, Any], mark: str, words: str
) -> None:
    good: dict[str, Any] = {"kind": "ext4", "free": GIB}
    ((found, _, sentence),) = bad(check_place(Place("--ledger", tmp_path, **{**good, **place})))
    assert found == mark
    assert words in sentence


def test_places_are_looked_at_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not look("--history", tmp_path / "new" / "h", folder=True).why
    assert look("--snapshots", tmp_path, folder=False).why == "it is a folder"
    assert look("--history", tmp_path / "file", folder=True).why == "it is a file"
    assert "is a file" in look("--latest", tmp_path / "file" / "l.json", folder=False).why
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_relative_file_of_an_earlier_run_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in README: --snapshots snapshots.jsonl, and a ledger beside checkpoint/.
    monkeypatch.chdir(tmp_path)
    Path("snapshots.jsonl").touch()
    assert not look("--snapshots", Path("snapshots.jsonl"), folder=False).why


def test_a_java_that_is_not_there_is_a_dependency() -> None:
    (found,) = check_programs({"JAVA_HOME": "/nowhere"})
    assert found.dependency
    assert "install Java 17" in found.sentence


def test_a_pyspark_of_another_version_is_named_with_the_command_that_mends_it() -> None:
    assert check_version("4.2.0", None).mark == check_version("4.2.0", "4.2.0").mark == "ok"
    assert "pip install pyspark==4.2.0" in check_version("4.1.0", "4.2.0").sentence
    assert required_version(["click>=8", 'pyspark==4.2.0 ; extra == "aggregator"']) == "4.2.0"
    assert required_version(["click>=8"]) is None


def test_of_what_spark_says_the_line_that_tells_is_taken() -> None:
    said = "Ivy Default Cache\n\n  unresolved dependency: a#b;1: not found\nmore"
    assert why(said) == "unresolved dependency: a#b;1: not found"
    assert why("") == "it did not say why"


def test_a_new_job_has_nothing_to_say_of_its_state(tmp_path: Path) -> None:
    found = list(State(settings(tmp_path, scope="both")).check())
    assert [str(one.mark) for one in found] == ["ok", "ok"]
    assert not list(tmp_path.iterdir())


def test_a_remote_checkpoint_is_a_warning(tmp_path: Path) -> None:
    ((mark, _, sentence),) = bad(State(settings(tmp_path, checkpoint="s3a://b/x")).check())
    assert mark == "warn"
    assert "remote store" in sentence


def test_a_checkpoint_without_its_ledger_and_one_of_another_query_are_said(tmp_path: Path) -> None:
    chosen = settings(tmp_path, scope="both", topic="t")
    folder = tmp_path / "checkpoint"
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True)
        (folder / name / "0").write_text('v1\n{}\n{"t":{"0":3}}')
    (folder / "metadata").write_text('{"id": "q"}')
    ((mark, check, sentence),) = bad(State(chosen).check())
    assert (mark, check) == ("fail", "ledger")
    assert "lacks batches 0 to 0" in sentence
    assert "ledger rebuild" in sentence

    with Ledger(chosen.ledger_file) as ledger:
        ledger.add("other", 0, tallied([reading("a", "CA", 60.0, seq=1)]), 0)
    ((mark, _, sentence),) = bad(State(chosen).check())
    assert mark == "fail"
    assert "belongs to query other, and the checkpoint to q" in sentence

    chosen.ledger_file.unlink()
    with Ledger(chosen.ledger_file) as ledger:
        ledger.add("q", 0, tallied([reading("a", "CA", 60.0, seq=1)]), 0)
    state = State(chosen)
    assert bad(state.check()) == []
    assert state.checkpoint.position == {0: 3}

    ((mark, check, sentence),) = bad(State(settings(tmp_path, topic="u")).check())
    assert (mark, check) == ("fail", "checkpoint")
    assert "--topic is u" in sentence


@pytest.mark.parametrize(
    ("words", "number"),
    (
        ("604800000", 604_800_000),
        ("-1", -1),
        (None, None),
        ("", None),
        ("a week", None),
        ("1" * 5_000, None),
        ("9223372036854775808", None),
    ),
)
def test_what_a_broker_says_may_be_no_number(words: str | None, number: int | None) -> None:
    assert whole(words) == number
