"""The streaming query: Spark's session, the source, the trigger, the end."""
