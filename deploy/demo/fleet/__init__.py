"""The demo's fleet: simulated probes, a board whose network fails, and a third party."""
