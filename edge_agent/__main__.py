"""`python -m edge_agent` is `isotherm-agent`."""

from edge_agent.cli import main

main()
