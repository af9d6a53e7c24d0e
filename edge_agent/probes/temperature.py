"""Probes speak Celsius, the contract Fahrenheit."""

from __future__ import annotations

DECIMALS = 2
"""In what we write: finer than any probe's resolution, and 59.7 stays 59.7 there and back."""


def celsius(fahrenheit: float) -> float:
    """Degrees Celsius out of degrees Fahrenheit."""
    return (fahrenheit - 32.0) / 1.8


def fahrenheit(celsius: float) -> float:
    """Degrees Fahrenheit out of degrees Celsius, with two decimals, and never -0.0."""
    return round(celsius * 1.8 + 32.0, DECIMALS) + 0.0
