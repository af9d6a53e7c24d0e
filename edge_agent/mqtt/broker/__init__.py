"""What is known of the broker: what it takes, and who else uses our name there."""
