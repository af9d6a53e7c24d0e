import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from aggregator.analytics.audit import EventTime
from aggregator.analytics.scopes import SINCE_START
from aggregator.analytics.tally import Tally
from aggregator.errors import LedgerError, LedgerWriteError
from aggregator.kafka.checkpoint import Checkpoint
from aggregator.ledger.ledger import Ledger, Progress
from isotherm.contract import Clock
from isotherm.errors import EXIT_OTHER
from tests.aggregator.support.records import SECOND as NS_PER_SECOND
from tests.aggregator.support.records import assert_same, oracle, reading, tallied
from tests.faults.chaos.disks import Disk, may_mount

ROOT = Path(__file__).resolve().parents[3]
FIRST = [reading("a", "CA", 60.1, seq=1), reading("b", "NV", 50.7), b"bad"]
SECOND = [reading("a", "CA", 61.3, seq=2), reading("c", "NV", 51.9), b"bad", b"{}"]


def test_batches_add_up_to_the_same_as_all_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        assert ledger.add("q", 0, tallied(FIRST), 0)
        assert ledger.add("q", 1, tallied(SECOND), 0)
        assert_same(ledger.analytics(), oracle(FIRST + SECOND))
        assert ledger.rejected() == {"missing_field": 1, "not_json": 2}


def test_totals_survive_a_restart(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
    with Ledger(tmp_path / "l.duckdb") as ledger:
        assert ledger.progress == Progress(query_id="q", batch_id=0)
        ledger.add("q", 1, tallied(SECOND), 0)
        assert_same(ledger.analytics(), oracle(FIRST + SECOND))


def test_a_replayed_batch_changes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        assert not ledger.add("q", 0, tallied(FIRST), 0)
        assert_same(ledger.analytics(), oracle(FIRST))
        assert ledger.rejected() == {"not_json": 1}


def test_a_batch_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Ledger._write  # noqa: SLF001 the crash is within the transaction

    def crash(ledger: Ledger, query_id: str, batch_id: int, tally: Tally, at: int) -> None:
        whole(ledger, query_id, batch_id, tally, at)
        raise KeyboardInterrupt

    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_write", crash)
            with pytest.raises(KeyboardInterrupt):
                ledger.add("q", 1, tallied(SECOND), 0)
        assert ledger.progress == Progress(query_id="q", batch_id=0)
        assert_same(ledger.analytics(), oracle(FIRST))
        assert ledger.add("q", 1, tallied(SECOND), 0)
        assert_same(ledger.analytics(), oracle(FIRST + SECOND))


def test_a_full_disk_is_no_mistake_of_the_person_and_the_batch_is_counted_later(
    tmp_path: Path,
) -> None:
    if not may_mount(tmp_path / "trial"):
        pytest.skip("only root may mount a disk that can be full")
    many = [reading(f"s{number}", seq=1) for number in range(20_000)]
    with Disk(tmp_path / "disk", 64) as disk:
        path = tmp_path / "disk/l.duckdb"
        with Ledger(path) as ledger:
            ledger.add("q", 0, tallied(FIRST), 0)
            disk.fill()
            with pytest.raises(LedgerWriteError, match="No space left on device") as refused:
                ledger.add("q", 1, tallied(many), 0)
            assert refused.value.exit_code == EXIT_OTHER
            disk.free()
        with Ledger(path) as ledger:
            assert ledger.progress == Progress(query_id="q", batch_id=0)
            assert_same(ledger.analytics(), oracle(FIRST))
            assert ledger.add("q", 1, tallied(many), 0)
            assert_same(ledger.analytics(), oracle([*FIRST, *many]))


def test_event_times_and_who_was_not_punctual_add_up(tmp_path: Path) -> None:
    ahead = reading("b", event_time=4_000_000_000 * NS_PER_SECOND, clock=Clock.UNSYNCED, seq=1)
    with Ledger(tmp_path / "l.duckdb") as ledger:
        assert ledger.event_time() is None
        ledger.add("q", 0, tallied([reading("a"), ahead]), 0)
        ledger.add("q", 1, tallied([reading("a", event_time=0), ahead]), 0)
        assert ledger.event_time() == EventTime(
            min="1970-01-01T00:00:00.000000Z", max="2096-10-02T07:06:40.000000Z", late=2, future=2
        )
        counts = ledger.counts(SINCE_START)
        assert (counts.unsynced, counts.duplicated) == (2, 1)


def test_another_query_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        with pytest.raises(LedgerError, match=r"belongs to query q.*new --checkpoint"):
            ledger.add("other", 0, tallied(SECOND), 0)
        with pytest.raises(LedgerError, match="belongs to query q"):
            ledger.require(Checkpoint())
        assert_same(ledger.analytics(), oracle(FIRST))


def test_a_checkpoint_that_is_ahead_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        with pytest.raises(LedgerError, match="lacks batches 0 to 6"):
            ledger.require(Checkpoint(query_id="q", committed=6))
        ledger.add("q", 0, tallied(FIRST), 0)
        with pytest.raises(LedgerError, match="lacks batches 1 to 1"):
            ledger.add("q", 2, tallied(SECOND), 0)


def test_a_start_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(LedgerError, match="lacks batches"),
        Ledger(tmp_path / "l.duckdb") as ledger,
    ):
        ledger.require(Checkpoint(query_id="q", committed=6))
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_was_there_stays_though_it_has_counted_nothing(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "l.duckdb"):
        pass
    with Ledger(tmp_path / "l.duckdb"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["l.duckdb"]


def test_a_checkpoint_that_is_one_batch_behind_is_a_crash_and_fits(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.require(Checkpoint())
        ledger.add("q", 0, tallied(FIRST), 0)
        ledger.add("q", 1, tallied(SECOND), 0)
        ledger.require(Checkpoint(query_id="q", committed=0, begun=1))


def test_an_older_copy_of_the_checkpoint_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        ledger.add("q", 1, tallied(SECOND), 0)
        with pytest.raises(LedgerError, match=r"has counted batch 1.*ledger rebuild"):
            ledger.require(Checkpoint(query_id="q", committed=0, begun=0))


def test_the_process_that_has_it_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    code = "import sys; from pathlib import Path; from aggregator.ledger.ledger import Ledger; "
    code += "Ledger(Path(sys.argv[1]))"
    with Ledger(path):
        done = subprocess.run(
            [sys.executable, "-c", code, path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"is open in another process (PID {os.getpid()})" in done.stderr


def test_a_ledger_that_was_filled_in_other_portions_fits_its_checkpoint(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        ledger.settle(7)
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.require(Checkpoint(query_id="q", committed=7, begun=7))
        assert ledger.add("q", 8, tallied(SECOND), 0)


def test_a_ledger_of_an_older_form_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "l.duckdb") as connection:
        connection.execute("CREATE TABLE sensor (state VARCHAR)")
        connection.execute(
            "CREATE TABLE progress (schema VARCHAR, query_id VARCHAR, batch_id BIGINT)"
        )
        connection.execute("INSERT INTO progress VALUES ('isotherm.ledger/1', 'q', 7)")
    with pytest.raises(LedgerError, match=r"is isotherm.ledger/1.*/3.*ledger rebuild"):
        Ledger(tmp_path / "l.duckdb")


def test_the_log_beside_it_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "l.duckdb.wal"
    with Ledger(tmp_path / "l.duckdb") as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
        assert log.stat().st_size > 0
        monkeypatch.setattr("aggregator.ledger.database.MOST_LOG", 0)
        ledger.add("q", 1, tallied(SECOND), 0)
        assert not log.exists() or log.stat().st_size == 0
        assert_same(ledger.analytics(), oracle(FIRST + SECOND))


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.duckdb").write_text("junk" * 5000)
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(tmp_path / "l.duckdb")
