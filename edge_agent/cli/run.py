"""`isotherm-agent run`: from its arguments to the service, without click where it can be.

click takes 2 MB, which a running agent would hold for ever. So the few arguments that an agent is
started with are read here; whatever else stands there, help or a mistake, is left to click.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_agent.settings.agent import AgentSettings, agent_file, load_agent
from isotherm.log import start_logging
from isotherm.settings.table import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Arguments(NamedTuple):
    """What the command line says.

    Attributes:
        config: agent.toml; None where none is named.
        verbose: show debug lines too.
        flags: settings that stand there, by name.
    """

    config: str | None
    verbose: bool
    flags: Mapping[str, Any]


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """The arguments behind `run`; None where click is to read them."""
    names = {row.flag: row.name for row in rows(AgentSettings) if row.flag and not row.many}
    names["--config"] = "config"
    found: dict[str, str] = {}
    verbose = False
    rest = list(words)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if word == "--verbose" and not equals:
            verbose = True
            continue
        if word not in names:
            return None
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        found[names[word]] = value
    return Arguments(found.pop("config", None), verbose, found)


def run_service(arguments: Arguments) -> int:
    """Run until SIGINT or SIGTERM; the exit code.

    Raises:
        SettingsError: names the key, the value and the fix.
    """
    from edge_agent.service.service import Service  # noqa: PLC0415 only where it is needed

    log = start_logging("agent", verbose=arguments.verbose)

    def load() -> AgentSettings:
        return load_agent(agent_file(arguments.config), os.environ, arguments.flags)

    return Service(load(), load, log).run()
