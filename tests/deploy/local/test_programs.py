"""Finding Java and mosquitto, and saying how to install them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.errors import MissingPartError
from deploy.local.services.java import find_java, java_version
from deploy.local.services.mosquitto import find_mosquitto, profile

if TYPE_CHECKING:
    from pathlib import Path


def make_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin/java").write_text("#!/bin/sh\n")
    (home / "bin/java").chmod(0o755)
    (home / "release").write_text(f'IMPLEMENTOR="Debian"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.mark.parametrize(
    ("text", "major"), (("17.0.15", 17), ("21", 21), ("1.8.0_402", 8), ("25-ea", 25))
)
def test_java_version(tmp_path: Path, text: str, major: int) -> None:
    assert java_version(make_java(tmp_path, text)) == major


def test_java_version_without_a_release_file(tmp_path: Path) -> None:
    home = make_java(tmp_path, "")
    (home / "release").unlink()
    (home / "bin/java").write_text("#!/bin/sh\necho 'openjdk version \"18.0.1\" 2022' >&2\n")
    assert java_version(home) == 18


def test_java_home_comes_first(tmp_path: Path) -> None:
    chosen, other = make_java(tmp_path / "a", "21"), make_java(tmp_path / "b", "17")
    environ = {"JAVA_HOME": str(chosen), "PATH": str(other / "bin")}
    assert find_java(environ, tmp_path / "none") == chosen


def test_old_java_is_passed_over(tmp_path: Path) -> None:
    old = make_java(tmp_path / "old", "11.0.2")
    new = make_java(tmp_path / "jvms" / "java-17", "17.0.1")
    assert find_java({"PATH": str(old / "bin")}, tmp_path / "jvms") == new


def test_old_java_alone_is_named_with_the_remedy(tmp_path: Path) -> None:
    old = make_java(tmp_path / "old", "11.0.2")
    with pytest.raises(MissingPartError, match=r"only 11.*sudo apt-get install -y default-jre-"):
        find_java({"JAVA_HOME": str(old), "PATH": ""}, tmp_path / "none")


def test_no_java_is_a_dependency_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError) as caught:
        find_java({"PATH": ""}, tmp_path / "none")
    assert caught.value.exit_code == 3


def test_mosquitto_on_the_path(tmp_path: Path) -> None:
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_mosquitto({"PATH": str(tmp_path)}) == str(program)


@pytest.mark.parametrize("root", (True, False))
def test_profile_keeps_its_promises(tmp_path: Path, root: bool) -> None:  # noqa: FBT001 a case
    text = profile(2883, tmp_path, root=root)
    rows = {line for line in text.splitlines() if line and not line.startswith("#")}
    assert {
        "listener 2883 127.0.0.1",
        "persistence true",
        f"persistence_location {tmp_path}/",
        "autosave_on_changes true",
        "max_inflight_messages 0",
    } <= rows
    # Versions 2.0.2 and 2.0.16 take 0 for "nothing".
    assert "max_queued_messages 0" not in rows
    assert ("user root" in rows) == root
