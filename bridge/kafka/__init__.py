"""The Kafka side: sinks, their limits, and what bridges write about themselves."""
