"""`python -m edge_agent` is `isotherm-agent`."""

from edge_agent.cli.main import main

main()
