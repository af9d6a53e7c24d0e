import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import InputError
from edge_agent.replay import lines
from edge_agent.replay.lines import Line, LineReader

TEXT = b'first\r\n\n  \t\r\n\xff\x00bad\n{"a":1}\r\r\nlast\r'
LINES = [
    Line(1, b"first"),
    Line(4, b"\xff\x00bad"),
    Line(5, b'{"a":1}\r'),
    Line(6, b"last\r"),
]


def _all(reader: LineReader) -> list[Line]:
    found = []
    while (line := reader.next()) is not None:
        found.append(line)
    assert reader.ended
    return found


def test_lines_keep_their_bytes_and_their_numbers(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(TEXT)
    with file.open("rb") as opened:
        assert _all(LineReader(opened.fileno())) == LINES


@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_it_does_not_matter_where_the_pieces_end(cuts: list[int]) -> None:
    reader = LineReader(-1)
    edges = [0, *sorted(cuts), len(TEXT)]
    for start, end in pairwise(edges):
        if start < end:
            reader.feed(TEXT[start:end])
    reader.feed(b"")
    assert _all(reader) == LINES


def test_a_pipe_without_news_does_not_block() -> None:
    reading, writing = os.pipe()
    try:
        reader = LineReader(reading)
        os.write(writing, b"one\ntw")
        assert reader.next() == Line(1, b"one")
        assert reader.next() is None
        assert not reader.ended
        os.write(writing, b"o\n")
        assert reader.next() == Line(2, b"two")
    finally:
        os.close(reading)
        os.close(writing)


def test_a_line_that_is_too_long_is_told_and_does_not_harm_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 10)
    reader = LineReader(-1)
    for piece in (b"ok\n", b"x" * 8, b"x" * 8, b"x" * 20, b"y\nfine\n", b"z" * 11 + b"\nend", b""):
        reader.feed(piece)
    assert _all(reader) == [
        Line(1, b"ok"),
        Line(2, None),
        Line(3, b"fine"),
        Line(4, None),
        Line(5, b"end"),
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(InputError, match=r"logs cannot be read: Is a directory"):
            LineReader(descriptor, "logs").next()
    finally:
        os.close(descriptor)
