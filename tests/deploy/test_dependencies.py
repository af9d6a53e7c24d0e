"""What pyproject.toml says of Python and of packages, and whoever says it again, agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
TABLE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = TABLE["project"]
OLDEST = PROJECT["requires-python"].removeprefix(">=")
PYTHONS = [
    found[1]
    for line in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (\d+\.\d+)", line))
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirements() -> dict[str, list[Requirement]]:
    """What our extras ask for, by package."""
    found: dict[str, list[Requirement]] = {}
    for lines in PROJECT["optional-dependencies"].values():
        for line in lines:
            requirement = Requirement(line)
            if requirement.name != PROJECT["name"]:
                found.setdefault(requirement.name, []).append(requirement)
    return found


def test_the_oldest_python_is_the_same_everywhere() -> None:
    assert PYTHONS[0] == OLDEST
    assert TABLE["tool"]["ruff"]["target-version"] == "py" + OLDEST.replace(".", "")
    assert TABLE["tool"]["mypy"]["python_version"] == OLDEST
    for name in ("README.md", "CONTRIBUTING.md", "scripts/lib.sh"):
        assert set(re.findall(r"Python (\d\.\d+) or newer", text(name))) == {OLDEST}, name
    assert f"sys.version_info < ({OLDEST.replace('.', ', ')})" in text("scripts/lib.sh")


def test_the_scripts_look_for_every_python_that_is_named() -> None:
    (loop,) = re.findall(r"for name in python3 (.*); do", text("scripts/lib.sh"))
    assert {f"python{python}" for python in PYTHONS} <= set(loop.split())
    assert [Version(python) for python in PYTHONS] == sorted(map(Version, PYTHONS))


def test_a_package_has_both_bounds_and_the_same_in_every_extra() -> None:
    for name, found in requirements().items():
        (bounds,) = {requirement.specifier for requirement in found}
        operators = {bound.operator for bound in bounds}
        assert operators in ({">=", "<"}, {"=="}), f"{name}{bounds}"


def test_what_is_installed_lies_within_them() -> None:
    # `scripts/test --lowest` installs the lower ends, scripts/test the upper ones.
    for name, found in requirements().items():
        if name != "lgpio":  # compiled, for boards alone
            assert version(name) in found[0].specifier, name


def test_the_connector_that_is_named_fits_pyspark() -> None:
    ((pin,),) = [requirement.specifier for requirement in requirements()["pyspark"]]
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    named = {
        found
        for page in pages
        for found in re.findall(r"spark-sql-kafka-0-10_2\.13:([\d.]+\d)", page.read_text("utf-8"))
    }
    assert named == {pin.version}


def test_the_private_names_of_paho_are_not_used_with_another_minor_version() -> None:
    (specifier,) = {requirement.specifier for requirement in requirements()["paho-mqtt"]}
    assert specifier == SpecifierSet(">=2.2,<2.3")


@pytest.mark.parametrize(
    ("entry", "words", "extra"),
    (
        ("bridge.cli:main", ["run", "--help"], "bridge"),
        ("dashboard.cli:main", ["run", "--help"], "dashboard"),
        ("aggregator.cli.main:job", ["--kafka", "h:1", "--checkpoint", "ck"], "aggregator"),
    ),
)
def test_a_package_that_an_update_without_the_extra_left_out_is_named(
    entry: str, words: list[str], extra: str, tmp_path: Path
) -> None:
    # `pip install --upgrade isotherm` brings no new package of an extra, such as prometheus-client.
    module, _, name = entry.partition(":")
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        f"from {module} import {name}; sys.exit({name}())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "prometheus_client" in done.stderr
    assert done.stderr.endswith(f"pip install 'isotherm[{extra}]'\n")
