"""What the page ships, read as text: no browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dashboard
from docs.map import FIPS, path, simplified
from isotherm.contract import Reason
from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
from pathlib import Path

STATIC = Path(dashboard.__file__).parent / "static"
MAX_BYTES = 250 * 1024
MAX_LINES = 300


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    for file in sorted(STATIC.iterdir()):
        if file.suffix in suffixes:
            yield file.name, file.read_text(encoding="utf-8")


def test_the_page_is_small() -> None:
    assert sum(file.stat().st_size for file in STATIC.iterdir()) <= MAX_BYTES
    for name, text in texts(".js", ".css", ".html"):
        assert len(text.splitlines()) <= MAX_LINES, name


def test_nothing_is_inline() -> None:
    ((_, page),) = texts(".html")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    for name, text in texts(".js"):
        assert not re.search(r"innerHTML|\beval\(|setAttribute\(\"style\"", text), name


def test_nothing_is_asked_of_another_host() -> None:
    names_a_space = "http://www.w3.org/2000/svg"
    for name, text in texts(".js", ".css", ".html", ".svg"):
        assert not re.search(r"(?:https?:)?//[\w.-]+\.\w", text.replace(names_a_space, "")), name


def test_every_file_that_the_page_names_is_there() -> None:
    named = {
        match
        for _, text in texts(".html", ".js")
        for match in re.findall(r"(?:/static/|from \"\./)([\w.]+)", text)
    }
    shipped = {file.name for file in STATIC.iterdir()} - {"index.html", "ASSETS.md"}
    assert named == shipped


def test_the_map_has_the_states_of_the_contract() -> None:
    outlines = (STATIC / "states.js").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^  ([A-Z]{2}): ", outlines, flags=re.MULTILINE)) == sorted(STATES)
    assert sorted(FIPS.values()) == sorted(STATES)


def test_the_page_has_a_row_for_each_reason_of_the_contract() -> None:
    panels = (STATIC / "panels.js").read_text(encoding="utf-8")
    listed = re.search(r"REASONS = \[(.*?)\]", panels)
    assert listed
    assert re.findall(r"\"(\w+)\"", listed[1]) == [*Reason]


def test_what_others_made_is_named_with_version_and_licence() -> None:
    assets = (STATIC / "ASSETS.md").read_text(encoding="utf-8")
    for told in ("us-atlas 3.0.1", "ISC", "public domain", "cmcrameri 1.10", "MIT", "roma"):
        assert told in assets


def test_corners_that_do_not_matter_are_left_out() -> None:
    ends = [(0.0, 0.0), (10.0, 0.0)]
    assert simplified([ends[0], (5.0, 0.1), ends[1]]) == ends
    assert simplified([ends[0], (5.0, 5.0), ends[1]]) == [ends[0], (5.0, 5.0), ends[1]]


def test_an_outline_is_written_in_tenths() -> None:
    square = [(100.3, 10.0), (100.8, 10.0), (100.8, 9.5), (100.3, 10.0)]
    assert path([square]) == "M100.3 10l.5 0 0-.5z"
