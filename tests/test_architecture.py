"""The rules that hold the rooms apart (docs/design.md), read from the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ROOMS = ("contract", "edge_agent", "bridge", "aggregator", "deploy")
MAY_IMPORT = {
    "contract": set(),
    "edge_agent": {"contract"},
    "bridge": {"contract"},
    "aggregator": {"contract"},
    "deploy": {"contract"},
}
EXTRAS = {
    "edge_agent": ("agent",),
    "bridge": ("bridge",),
    "aggregator": ("aggregator", "dashboard"),
    "deploy": ("all",),
}
IMPORT_NAMES = {
    "paho-mqtt": "paho",
    "kafka-python": "kafka",
    "confluent-kafka": "confluent_kafka",
    "prometheus-client": "prometheus_client",
}
# Modules of the contract that only programs on a server import, and what they need.
BEYOND_STDLIB = {"fast.py": "msgspec", "registry.py": "prometheus_client"}
COMES_WITH = {"pyspark": {"py4j"}}
MAX_LINES = 500


@cache
def sources(room: str) -> dict[Path, ast.Module]:
    """Every module of a room, parsed."""
    paths = sorted((ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def room_sources(room: str) -> Iterator[tuple[Path, ast.Module]]:
    return iter(sources(room).items())


@cache
def imports(tree: ast.Module) -> frozenset[str]:
    """The modules that a module imports, wherever in it: lazily, or for its types only."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return frozenset(found)


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded_by(modules: list[str], *flags: str) -> set[str]:
    """The top-level packages in `sys.modules` after a fresh interpreter imported `modules`."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, *flags, "-c", code, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_that_it_may(room: str) -> None:
    others = set(ROOMS) - {room} - MAY_IMPORT[room] | {"tests", "docs"}
    for path, tree in room_sources(room):
        wrong = {name for name in imports(tree) if name.partition(".")[0] in others}
        assert not wrong, f"{path} imports {wrong}"


def test_the_contract_needs_the_standard_library_only() -> None:
    for path, tree in room_sources("contract"):
        foreign = {name.partition(".")[0] for name in imports(tree)} - sys.stdlib_module_names
        assert foreign <= {"contract", BEYOND_STDLIB.get(path.name, "contract")}, path
    # -S hides site-packages: this is a worker that has Python and nothing else.
    modules = [path for path, _ in room_sources("contract") if path.name not in BEYOND_STDLIB]
    loaded_by([*map(module_name, modules), "contract.fast"], "-S")


@pytest.mark.parametrize("room", EXTRAS)
def test_what_a_room_imports_is_in_its_extra(room: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    wanted = extras.keys() if EXTRAS[room] == ("all",) else EXTRAS[room]
    requirements = [requirement for extra in wanted for requirement in extras[extra]]
    packages = {re.split(r"[^A-Za-z0-9_-]", requirement)[0] for requirement in requirements}
    allowed = {IMPORT_NAMES.get(package, package) for package in packages}
    allowed |= {name for package in packages for name in COMES_WITH.get(package, ())}
    for path, tree in room_sources(room):
        foreign = {name.partition(".")[0] for name in imports(tree)} - sys.stdlib_module_names
        assert foreign <= allowed | set(ROOMS), path


@pytest.mark.parametrize("room", ("contract", "edge_agent"))
def test_a_device_loads_nothing_heavy(room: str) -> None:
    # Importing a __main__ is running it.
    modules = [module_name(p) for p, _ in room_sources(room) if p.name != "__main__.py"]
    heavy = {
        "pyspark",
        "py4j",
        "kafka",
        "confluent_kafka",
        "duckdb",
        "pyarrow",
        "pandas",
        "numpy",
        "gpiozero",
        "prometheus_client",
    }
    if room == "edge_agent":
        heavy.add("msgspec")
    else:
        modules = [name for name in modules if f"{name.partition('.')[2]}.py" not in BEYOND_STDLIB]
        heavy |= {"msgspec", "click", "paho"}
    assert not heavy & loaded_by(modules)


def test_the_page_needs_no_spark() -> None:
    modules = [
        module_name(p)
        for p, _ in room_sources("aggregator")
        if "dashboard" in p.parts and p.name != "cli.py"
    ]
    assert not {"pyspark", "py4j", "duckdb", "pyarrow", "pandas", "numpy"} & loaded_by(modules)


def test_modules_are_short() -> None:
    long = {
        path.relative_to(ROOT).as_posix()
        for room in (*ROOMS, "tests")
        for path in (ROOT / room).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    }
    assert not long


def test_all_names_what_a_package_offers() -> None:
    checked = 0
    for path in [path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("__init__.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if (declared := _declared(tree)) is not None:
            assert sorted(declared) == sorted(_offered(tree)), path
            checked += 1
    assert checked, "contract has one at least"


def _declared(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def _offered(tree: ast.Module) -> Iterator[str]:
    """Public names that a module defines, or imports from ours."""
    for node in tree.body:
        names: list[str] = []
        match node:
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in ROOMS:
                names = [alias.asname or alias.name for alias in node.names]
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Assign():
                names = [ast.unparse(target) for target in node.targets]
            case ast.AnnAssign():
                names = [ast.unparse(node.target)]
        yield from (name for name in names if not name.startswith("_"))


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    somebodys = re.compile(r"(?<![\w.~])/(?:root|home|work|Users)(?:/|\b(?!\w))")
    for path in _text_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = somebodys.search(text)
        assert found is None, f"{path}: {text[found.start() : found.start() + 40]!r}"


def _text_files() -> Iterator[Path]:
    """Our files, without asking git: the tests also run from an archive."""
    folders = [*ROOMS, "tests", "docs", "scripts", ".ci"]
    inside = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*inside, *ROOT.glob("*.md"), *ROOT.glob("*.toml")]:
        if path.is_file() and path.suffix not in {".pyc", ".jsonl"}:
            yield path
