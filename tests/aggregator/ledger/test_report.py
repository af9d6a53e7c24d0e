import csv
import json
import shutil
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from aggregator.analytics.scopes import SINCE_START
from aggregator.cli.commands import group
from aggregator.errors import BrokenLedgerError, LedgerError
from aggregator.kafka.checkpoint import Checkpoint
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import exported, opened, problems, status
from tests.aggregator.support.records import BAD, gap, reading, tallied

TOP = 2**63 - 1
BATCHES = (
    [reading("a", "CA", 60.0, seq=1), reading("a", "CA", 62.0, seq=2), reading("b", "NV", 50.7)],
    [reading("a", "CA", 64.0, seq=5), gap("a", first=3, last=4, count=2, seq=6), *BAD],
    [reading("a", "NV", 70.0, seq=7), reading("a", "CA", 60.0, seq=1)],
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "ck.ledger.duckdb"
    with Ledger(path) as ledger:
        for number, records in enumerate(BATCHES):
            ledger.add("q", number, tallied(records), 0)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def test_status_names_the_last_batch_and_the_totals(path: Path) -> None:
    with opened(path) as connection:
        found = status(connection)
    assert (found["query"], found["batch"]) == ("q", 2)
    assert (found["sensors"], found["readings"]) == (2, 5)
    assert [found[name] for name in ("expected", "received", "missing", "explained")] == [
        7,
        5,
        0,
        2,
    ]
    assert found["duplicated"] == 1
    assert found["rejected not_json"] == 3


def test_seqs_that_the_contract_once_allowed_can_still_be_counted_and_shown(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO sensor (guid, state, epoch, readings, total, first_seq, last_seq, "
            "first_event, last_event, last_seen, born, touched) "
            "SELECT more.guid, 'CA', '00000000000000a1', 1, 60, $top, $top, "
            "first_event, last_event, last_seen, 0, 0 FROM sensor, "
            "(SELECT unnest(['y', 'z']) AS guid) AS more WHERE sensor.guid = 'b'",
            {"top": TOP},
        )
        connection.execute(
            "UPDATE audit SET expected = expected + 2 * $top::HUGEINT, received = received + 2 "
            "WHERE scope = 'since_start'",
            {"top": TOP},
        )
    with opened(path) as connection:
        assert problems(connection) == []
        found = status(connection)
        assert (found["expected"], found["missing"]) == (7 + 2 * TOP, 2 * TOP - 2)
        assert {row["expected"] for row in exported(connection)} >= {TOP}
    with Ledger(path) as ledger:
        ledger.add("q", 3, tallied([reading("y", seq=1), reading("z", seq=2)]), 0)
        counts = ledger.counts(SINCE_START)
        assert (counts.expected, counts.received) == (7 + 2 * TOP, 9)
    with opened(path) as connection:
        assert problems(connection) == []


def test_a_ledger_that_is_well_has_no_problems(path: Path) -> None:
    with opened(path) as connection:
        assert problems(connection) == []
        assert problems(connection, Checkpoint(query_id="q", committed=1, begun=2)) == []
        assert problems(connection, Checkpoint(query_id="q", committed=2, begun=3)) == []


@pytest.mark.parametrize(
    ("harm", "sentence"),
    (
        ("UPDATE sensor SET readings = readings + 1 WHERE guid = 'a'", "guids whose seqs"),
        ("UPDATE sensor SET total = 'nan'::DOUBLE", "whose numbers cannot be"),
        ("UPDATE sensor SET last_seq = 0 WHERE last_seq IS NOT NULL", "end before they begin"),
        (
            "INSERT INTO island FROM (SELECT guid, epoch, last_seq, 9 FROM sensor) LIMIT 1",
            "overlap or touch",
        ),
        ("UPDATE audit SET received = received + 1", "audit that are not"),
        ("DELETE FROM several", "noted wrongly"),
        ("UPDATE progress SET batch_id = 1", "not counted yet"),
        ("INSERT INTO progress FROM progress", "2 rows of progress"),
        ("INSERT INTO rejected VALUES ('x', 0)", "reasons without"),
    ),
)
def test_verify_names_what_is_wrong(path: Path, harm: str, sentence: str) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(harm)
    with opened(path) as connection:
        assert any(sentence in found for found in problems(connection)), problems(connection)


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    (
        (Checkpoint(query_id="other", committed=2, begun=2), "belongs to query q"),
        (Checkpoint(query_id="q", committed=1, begun=1), "began 1 last"),
        (Checkpoint(query_id="q", committed=3, begun=3), "committed 3"),
    ),
)
def test_verify_holds_it_against_the_checkpoint(
    path: Path, checkpoint: Checkpoint, sentence: str
) -> None:
    with opened(path) as connection:
        assert sentence in problems(connection, checkpoint)[0]


def test_export_has_every_sensor_with_its_audit(path: Path) -> None:
    with opened(path) as connection:
        rows = list(exported(connection))
    assert [(row["guid"], row["state"], row["readings"]) for row in rows] == [
        ("a", "CA", 3),
        ("a", "NV", 1),
        ("b", "NV", 1),
    ]
    assert rows[0]["average_temperature"] == 62.0
    assert (rows[0]["expected"], rows[0]["received"], rows[0]["explained"]) == (7, 5, 2)
    assert rows[0]["first_event"] == "2016-11-16T13:26:39.447974Z"


def test_the_commands(path: Path, tmp_path: Path) -> None:
    checkpoint = ["--checkpoint", str(tmp_path / "ck")]
    shown = CliRunner().invoke(group, ["ledger", "status", *checkpoint])
    assert "sensors: 2\nreadings: 5\n" in shown.output
    verified = CliRunner().invoke(group, ["ledger", "verify", "--ledger", str(path)])
    assert verified.output == f"the ledger {path} is well\n"
    comma = CliRunner().invoke(group, ["ledger", "export", *checkpoint])
    table = list(csv.DictReader(comma.output.splitlines()))
    assert [row["readings"] for row in table] == ["3", "1", "1"]
    output = tmp_path / "sensors.jsonl"
    CliRunner().invoke(
        group, ["ledger", "export", *checkpoint, "--format", "jsonl", "--output", str(output)]
    )
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [str(row["readings"]) for row in found] == ["3", "1", "1"]


def test_verify_ends_with_1_and_what_is_wrong(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("DELETE FROM several")
    done = CliRunner().invoke(group, ["ledger", "verify", "--ledger", str(path)])
    assert isinstance(done.exception, BrokenLedgerError)
    assert done.exception.exit_code == 1
    assert "is not well: 1 guids that are noted wrongly" in str(done.exception)


def test_what_is_no_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"), opened(tmp_path / "none"):
        pass
    (tmp_path / "text").write_text("this is no ledger")
    with (
        pytest.raises(LedgerError, match=r"cannot be opened.*ledger rebuild"),
        opened(tmp_path / "text"),
    ):
        pass
