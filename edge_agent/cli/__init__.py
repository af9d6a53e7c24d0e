"""The command line, `isotherm-agent`."""
