"""Records that are no readings: what is kept of them, and where."""
