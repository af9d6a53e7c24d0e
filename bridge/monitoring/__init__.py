"""What the bridge counts, and its state over HTTP."""
