"""Snapshots in memory: the last hour, and everyone who wants the next one."""
