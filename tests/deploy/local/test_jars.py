from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import FetchError
from deploy.local.services.jars import cache_folder, is_complete, kafka_jars

if TYPE_CHECKING:
    from collections.abc import Callable


def quiet(_: str) -> None: ...


def fetch_one_jar(folder: Path, _report: Callable[[str], None]) -> None:
    folder.mkdir()
    (folder / "kafka.jar").write_bytes(b"jar")


def test_fetched_once(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "kafka"
    assert kafka_jars(quiet, folder, fetch_one_jar) == folder

    def refuse(_folder: Path, _report: Callable[[str], None]) -> None:
        pytest.fail("fetched again")

    assert kafka_jars(quiet, folder, refuse) == folder
    assert [jar.name for jar in folder.iterdir()] == ["kafka.jar"]


def test_half_fetched_is_never_used_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"

    def fail_half_way(work: Path, report: Callable[[str], None]) -> None:
        fetch_one_jar(work, report)
        raise FetchError("offline")

    with pytest.raises(FetchError, match="offline"):
        kafka_jars(quiet, folder, fail_half_way)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kafka.lock"]
    assert kafka_jars(quiet, folder, fetch_one_jar) == folder


def test_what_a_killed_fetcher_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "fetching-x" / "jars").mkdir(parents=True)
    kafka_jars(quiet, tmp_path / "kafka", fetch_one_jar)
    assert not (tmp_path / "fetching-x").exists()


def test_of_two_fetchers_one_waits(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    fetches = []
    first_is_in, go_on = threading.Event(), threading.Event()

    def fetch(work: Path, report: Callable[[str], None]) -> None:
        fetches.append(work)
        first_is_in.set()
        assert go_on.wait(10)
        fetch_one_jar(work, report)

    threads = [threading.Thread(target=kafka_jars, args=(quiet, folder, fetch)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert first_is_in.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(fetches) == 1
    assert folder.is_dir()


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be kept in"):
        kafka_jars(quiet, tmp_path / "file" / "kafka", fetch_one_jar)


def test_a_damaged_jar_is_seen(tmp_path: Path) -> None:
    assert not is_complete(tmp_path)
    for name in ("kafka_2.13-4.3.1.jar", "other.jar"):
        with zipfile.ZipFile(tmp_path / name, "w") as jar:
            jar.writestr("a", "b")
    assert is_complete(tmp_path)
    (tmp_path / "other.jar").write_bytes(b"half of it")
    assert not is_complete(tmp_path)


def test_cache_is_where_the_user_wants_it() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/isotherm/kafka-4.3.1")
    assert cache_folder({}) == Path.home() / ".cache/isotherm/kafka-4.3.1"
    # The XDG specification: a relative path is to be ignored.
    assert cache_folder({"XDG_CACHE_HOME": "c"}) == cache_folder({})
