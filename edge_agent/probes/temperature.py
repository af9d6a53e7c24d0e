"""Celsius, which probes give, and Fahrenheit, which the contract has."""

from __future__ import annotations

DECIMALS = 2
"""In readings: enough that 59.7 is 59.7 again after a conversion to Celsius and back."""


def celsius(fahrenheit: float) -> float:
    """Degrees Celsius out of degrees Fahrenheit."""
    return (fahrenheit - 32.0) / 1.8


def fahrenheit(celsius: float) -> float:
    """Degrees Fahrenheit out of degrees Celsius, with two decimals, and never -0.0."""
    return round(celsius * 1.8 + 32.0, DECIMALS) + 0.0
