"""The sinks on kafka-python."""
