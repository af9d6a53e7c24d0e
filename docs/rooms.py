"""The picture of the rooms in docs/design.md: read from the source, so that it cannot lie.

A box is a folder of a program with the first sentence of its docstring; an arrow says that modules
of one import modules of the other. What follows from other arrows is left out.
"""

# ruff: noqa: INP001 docs are pages, not a package

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PROGRAMS: Final = {
    "edge_agent": "isotherm-agent",
    "bridge": "isotherm-bridge",
    "aggregator": "the Spark job",
    "dashboard": "the page",
}

APART: Final = {"aggregator.stream.workers"}
"""Rooms within a room that lie below others: one box with it would have arrows in a circle."""


def picture() -> str:
    """All programs, from the probe to the page, as Mermaid's flowcharts, one for each."""
    return "\n".join(_chart(program, title) for program, title in PROGRAMS.items())


def _chart(program: str, title: str) -> str:
    modules = sorted((ROOT / program).rglob("*.py"))
    rooms: dict[str, set[str]] = {}
    for path in modules:
        here = _room(program, path.relative_to(ROOT).with_suffix("").parts)
        if here is not None:
            rooms.setdefault(here, set()).update(_imported(program, path) - {here, None})
    lines = [f"### {title}: `{program}/`", "", "```mermaid", "flowchart LR"]
    lines += [f'    {room}["{room}<br/>{_about(program, room)}"]' for room in rooms]
    lines += [f"    {here} --> {there}" for here, there in _needed(rooms)]
    return "\n".join([*lines, "```", ""])


def _room(program: str, parts: tuple[str, ...]) -> str | None:
    """The folder right below the program; None of what lies beside the folders."""
    inside = parts[1:]
    if len(inside) > 1 and f"{program}.{inside[0]}.{inside[1]}" in APART:
        return f"{inside[0]}.{inside[1]}"
    return inside[0] if len(inside) > 1 and (ROOT / program / inside[0]).is_dir() else None


def _imported(program: str, path: Path) -> set[str | None]:
    found: set[str | None] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [f"{alias.name}." for alias in node.names]
        else:
            continue
        found |= {
            _room(program, tuple(name.split("."))) for name in names if name.startswith(program)
        }
    return found


def _about(program: str, room: str) -> str:
    """The first words of the room's docstring."""
    text = ast.get_docstring(
        ast.parse(
            (ROOT / program / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
        )
    )
    first = (text or "").split("\n", 1)[0].rstrip(".")
    return first.replace('"', "'").replace("`", "")


def _needed(rooms: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that do not follow from others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(rooms.get(start, ()))
        while todo:
            room = todo.pop()
            if room not in seen:
                seen.add(room)
                todo.extend(rooms.get(room, ()))
        return seen

    return [
        (here, there)
        for here, others in rooms.items()
        for there in sorted(others)
        if not any(there in reached(other) for other in others - {there})
    ]
