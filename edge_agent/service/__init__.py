"""The running agent: its parts, its main loop, and its signals."""
