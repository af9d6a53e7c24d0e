"""What is known since the start: one row per sensor, in a DuckDB file beside the checkpoint."""
