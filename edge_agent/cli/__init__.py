"""The command line, `isotherm-agent`."""

from edge_agent.cli.main import main

__all__ = ["main"]
