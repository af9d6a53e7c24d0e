"""Probes: what a driver is, the buses under it, and all drivers (`edge_agent.probes.drivers`)."""
