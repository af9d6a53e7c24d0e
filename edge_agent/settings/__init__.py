"""The tables of settings: of the agent, and of its tools."""
