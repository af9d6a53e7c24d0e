"""Sensors on a 1-wire bus."""
