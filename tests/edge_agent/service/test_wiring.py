"""How far a reader follows the settings through the agent's wiring, read from the source itself.

python -m tests.edge_agent.service.test_wiring     prints the modules
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
START = "edge_agent.service.service"
MOST = 20
"""37 before the agent had rooms, counted a little differently; 24 as counted here."""


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


def _path(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def _imports(module: str) -> set[str]:
    """Our modules that a module names, for their types too."""
    found = {node.module for node in ast.walk(_tree(module)) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in found if name and name.partition(".")[0] == "edge_agent"}
    return {name for name in ours if _path(name).exists()}


def _takes_settings(module: str) -> bool:
    """Whether a function of it is given the agent's settings, and not values out of them."""
    functions = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.FunctionDef)]
    arguments = [one for node in functions for one in (*node.args.args, *node.args.kwonlyargs)]
    types = [ast.unparse(one.annotation) for one in arguments if one.annotation is not None]
    return any(kind.endswith("Settings") and kind != "ProbeSettings" for kind in types)


def doors() -> set[str]:
    """The modules to which the settings are handed on, from the service inwards."""
    found: set[str] = set()
    todo = [START]
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += filter(_takes_settings, _imports(module))
    return found


def walk() -> set[str]:
    """Those, and what the service names beside them to put the agent together."""
    return doors() | _imports(START)


def test_the_settings_enter_few_modules() -> None:
    assert "edge_agent.outbox.options" in doors(), "the walk is blind"
    assert len(walk()) <= MOST, sorted(walk())


def test_a_room_has_one_door_for_the_settings() -> None:
    rooms = [door.split(".")[1] for door in doors()]
    for room in ("outbox", "reporting"):
        assert rooms.count(room) == 1


if __name__ == "__main__":
    for name in sorted(walk()):
        print(name, "(gets the settings)" if name in doors() else "")
    print(len(walk()))
