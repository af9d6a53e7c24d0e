"""The job's settings: one table, and the parsers that only it needs."""
