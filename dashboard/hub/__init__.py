"""Snapshots in memory: the last hour, and the streams that wait for the next one."""
