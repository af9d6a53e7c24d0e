"""What a running job exports: metrics, health, and the sensors of a state."""
