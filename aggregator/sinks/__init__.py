"""Where snapshots go: one module for each sink."""
