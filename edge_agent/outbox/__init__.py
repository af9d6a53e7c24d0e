"""What was sampled and not yet acknowledged by the broker, in a file that survives a crash."""
