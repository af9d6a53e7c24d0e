"""What pip installs: the programs, and nothing that only tests or benchmarks use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"isotherm", "edge_agent", "bridge", "aggregator", "dashboard", "deploy"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[PurePosixPath]:
    """Of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def test_the_wheel_has_our_packages_and_no_more(files: list[PurePosixPath]) -> None:
    top = {file.parts[0] for file in files}
    (about,) = (name for name in top if name.endswith(".dist-info"))
    assert top - {about} == PACKAGES


def test_each_package_says_that_it_has_types() -> None:
    # PEP 561; pyproject.toml's classifier says so of all.
    assert not [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()]


def test_the_wheel_has_neither_tests_nor_benchmarks(files: list[PurePosixPath]) -> None:
    forbidden = {"tests", "bench", "benchmarks", "docs", "scripts", "__pycache__"}
    assert not [file for file in files if forbidden & set(file.parts[:-1])]
    assert not [file for file in files if file.stem.startswith("test_") or file.stem == "promtool"]


def test_no_module_of_ours_is_missing_and_no_file_beside_them(
    files: list[PurePosixPath],
) -> None:
    ours = {
        PurePosixPath(path.relative_to(ROOT).as_posix())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not ours - set(files)
