"""The running bridge: its lanes, and the change between shards and one session."""
