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
ROOMS = ("isotherm", "edge_agent", "bridge", "aggregator", "dashboard", "deploy", "benchmarks")
MAY_IMPORT = {
    "isotherm": set(),
    "edge_agent": {"isotherm"},
    "bridge": {"isotherm"},
    "aggregator": {"isotherm"},
    "dashboard": {"isotherm"},
    "deploy": {"isotherm"},
    # Out of the wheel: they measure all of it.
    "benchmarks": {"isotherm", "aggregator", "deploy", "tests"},
}
EXTRAS = {
    "edge_agent": ("agent", "proxy"),
    "bridge": ("bridge",),
    "aggregator": ("aggregator",),
    "dashboard": ("dashboard", "apprise"),
    "deploy": ("all",),
    "benchmarks": ("all",),
}
IMPORT_NAMES = {
    "paho-mqtt": "paho",
    "PySocks": "socks",
    "kafka-python": "kafka",
    "confluent-kafka": "confluent_kafka",
    "prometheus-client": "prometheus_client",
}
COMES_WITH = {"pyspark": {"py4j"}}
MAX_LINES = 500
MAX_ENTRIES = 12
MARKERS = {"__init__.py", "__main__.py", "py.typed", "conftest.py", "__pycache__"}
"""What Python, mypy and pytest want in a folder tells nothing of what is in it."""
LARGE = {
    "dashboard/static": "one page: its scripts and styles, as the browser loads them",
    "tests/cases": "golden cases, one folder each",
}
"""Folders with more entries than `MAX_ENTRIES`, each with its reason."""

ORDER = {
    "isotherm": (
        *("errors", "log", "backoff", "kernel_clock", "files", "tasks"),
        *("contract", "settings", "mqtt", "kafka", "http", "doctor"),
    ),
    "edge_agent": (
        *("errors", "parsers", "probes", "sampling", "mqtt", "outbox", "settings"),
        *("reporting", "service", "replay", "doctor", "cli", "__main__"),
    ),
    "bridge": (
        *("errors", "mqtt", "credentials", "settings", "records", "monitoring", "kafka"),
        *("pump", "service", "doctor", "cli", "__main__"),
    ),
    "aggregator": (
        *("errors", "analytics", "stream.workers", "dead_letters", "kafka", "ledger", "sinks"),
        *("settings", "stream", "monitoring", "doctor", "cli", "job"),
    ),
    "dashboard": (
        *("errors", "alerts.rules", "alerts.condition", "alerts.alert", "alerts.notified"),
        *("alerts.sinks", "settings", "loop_tasks", "feeds", "hub", "metrics", "alerts"),
        *("web", "cli"),
    ),
    "deploy": (
        *("errors", "grafana"),
        *("local.guard", "local.ports", "local.process", "local.state", "local.ownership"),
        *("local.services", "local.stack", "local.status", "local.cli"),
        *("local", "demo"),
    ),
    "benchmarks": ("show", "usage", "bridge", "agent", "aggregator", "page", "ledger", "parse"),
}
"""The rooms of each package, the lowest first: a room imports only rooms before it."""


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
    others = (
        set(ROOMS) - {room} - MAY_IMPORT[room]
        | {"docs"}
        | ({"tests"} if room != "benchmarks" else set())
    )
    for path, tree in room_sources(room):
        wrong = {name for name in imports(tree) if name.partition(".")[0] in others}
        assert not wrong, f"{path} imports {wrong}"


def contract_sources() -> list[tuple[Path, ast.Module]]:
    """What judges a record: what Spark's executors get of isotherm."""
    return [
        (path, tree)
        for path, tree in room_sources("isotherm")
        if "contract" in path.parts or (path.name == "errors.py" and len(path.parts) == 2)
    ]


def test_the_contract_needs_the_standard_library_only() -> None:
    for path, tree in contract_sources():
        foreign = {name.partition(".")[0] for name in imports(tree)} - sys.stdlib_module_names
        allowed = {"isotherm", "msgspec"} if path.name == "fast.py" else {"isotherm"}
        assert foreign <= allowed, path
    # -S hides site-packages: this is a worker that has Python and nothing else.
    loaded_by([module_name(path) for path, _ in contract_sources()], "-S")


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
        assert foreign <= allowed | set(ROOMS) | {"tests"}, path


@pytest.mark.parametrize("room", ("isotherm", "edge_agent"))
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
        # The first judges faster where msgspec is; the others are for programs on a server.
        modules.remove("isotherm.contract.fast")
        modules.remove("isotherm.kafka.clients")
        modules.remove("isotherm.kafka.writer")
        modules.remove("isotherm.http.registry")
        heavy |= {"msgspec", "click", "paho"}
    assert not heavy & loaded_by(modules)


def test_the_page_needs_no_spark() -> None:
    modules = [module_name(p) for p, _ in room_sources("dashboard") if p.name != "cli.py"]
    assert not {"pyspark", "py4j", "duckdb", "pyarrow", "pandas", "numpy"} & loaded_by(modules)


def room_of(module: str) -> str | None:
    """The room in `ORDER` that a module belongs to; None of a package itself."""
    package, _, inside = module.partition(".")
    rooms = [room for room in ORDER[package] if f"{inside}.".startswith(f"{room}.")]
    if not inside:
        return None
    assert rooms, f"{module} is in no room of ORDER"
    return max(rooms, key=len)


def imported_modules(tree: ast.Module, known: set[str]) -> set[str]:
    """Modules of ours that a module imports: `from package import module` too."""
    found = {name for name in imports(tree) if name in known}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & known
            if whole <= known:
                found.discard(node.module)
    return found


@pytest.mark.parametrize("package", ORDER)
def test_a_room_imports_only_rooms_before_it(package: str) -> None:
    modules = {module_name(path): tree for path, tree in room_sources(package)}
    order = ORDER[package]
    for module, tree in modules.items():
        for other in imported_modules(tree, set(modules)):
            here, there = room_of(module), room_of(other)
            if here is not None and there is not None:
                assert order.index(there) <= order.index(here), f"{module} imports {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """For their types only is a circle too: who reads one has to read the others."""
    trees = {module_name(path): tree for room in ROOMS for path, tree in room_sources(room)}
    left = {module: imported_modules(tree, set(trees)) - {module} for module, tree in trees.items()}
    while free := {module for module, others in left.items() if not others & left.keys()}:
        left = {module: others for module, others in left.items() if module not in free}
    # What only leads into a circle is not in it.
    while tops := left.keys() - {other for others in left.values() for other in others}:
        left = {module: others for module, others in left.items() if module not in tops}
    assert not left


def test_a_folder_can_be_seen_at_once() -> None:
    folders = [ROOT / room for room in (*ROOMS, "tests")]
    folders += [path for folder in folders for path in folder.rglob("*") if path.is_dir()]
    for folder in folders:
        if folder.name in MARKERS:
            continue
        name = folder.relative_to(ROOT).as_posix()
        entries = {path.name for path in folder.iterdir()} - MARKERS
        assert name in LARGE or len(entries) <= MAX_ENTRIES, f"{name}: {sorted(entries)}"


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
    assert checked, "isotherm.contract has one at least"


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
