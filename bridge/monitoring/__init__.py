"""What the bridge counts and says of its state."""
