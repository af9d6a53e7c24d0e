"""Why a probe gave no temperature."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Why a probe gave no temperature; a fault is reported, and never becomes a reading."""

    CRC = "crc"
    """The answer is damaged: a wrong checksum, half a file, no number."""
    RESET = "reset"
    """The sensor lost its power during the measurement, and gives its power-on value."""
    RANGE = "range"
    """Outside of what the sensor can measure or the contract allows; also an open or shorted
    input."""
    MISSING = "missing"
    """The sensor, its bus or its file does not exist, does not answer, or may not be read."""
    TIMEOUT = "timeout"
    """No answer within the probe's timeout; the next read waits until this one returns."""
    STUCK = "stuck"
    """Exactly the same value, more often in a row than the sensor's noise allows."""
    STALE = "stale"
    """The value was last written longer ago than the probe's `max_age`."""
    SYSTEM = "system"
    """The board lacks what a read needs: open files, memory, threads, a package. This says nothing
    about the sensor."""


class ProbeError(Exception):
    """A read that ended with a fault, and why.

    Args:
        fault: which.
        why: the cause, for people.
    """

    def __init__(self, fault: Fault, why: str) -> None:
        self.fault = fault
        self.why = why
        super().__init__(f"{fault}: {why}")
