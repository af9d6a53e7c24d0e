"""A full outbox: how much it may hold, and what is dropped beyond that."""
