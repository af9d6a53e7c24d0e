"""What `run` takes without click is what click would have made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.cli import commands
from edge_agent.cli.run import Arguments, read_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    "words",
    (
        (),
        ("--config", "a.toml"),
        ("--config=a.toml", "--verbose"),
        ("--mqtt", "mqtt://h", "--config", "a.toml", "--metrics=:1"),
        ("--config", "a", "--config", "b"),
        ("--mqtt=",),
    ),
)
def test_plain_words_mean_the_same(monkeypatch: pytest.MonkeyPatch, words: Sequence[str]) -> None:
    found: list[Arguments] = []

    def keep(arguments: Arguments) -> int:
        flags = {name: value for name, value in arguments.flags.items() if value is not None}
        found.append(arguments._replace(flags=flags))
        return 0

    monkeypatch.setattr(commands, "run_service", keep)
    with_click: Any = commands.agent
    with_click.main(["run", *words], prog_name="isotherm-agent", standalone_mode=False)
    assert found == [read_arguments(words)]


@pytest.mark.parametrize(
    "words",
    (
        ("--help",),
        ("--config",),
        ("--config", "--verbose"),
        ("a.toml",),
        ("--verbose=1",),
        ("--confg", "a"),
        ("--", "--verbose"),
    ),
)
def test_whatever_else_is_left_to_click(words: Sequence[str]) -> None:
    assert read_arguments(words) is None
