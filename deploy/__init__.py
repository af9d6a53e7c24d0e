"""Starts the programs: the local stack, the demo, the profiles of the brokers."""
