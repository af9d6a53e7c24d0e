"""Why a probe gave no temperature."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Why a probe gave no temperature; a fault is told, and never becomes a reading."""

    CRC = "crc"
    """What came is damaged: a wrong checksum, half a file, no number."""
    RESET = "reset"
    """The sensor lost its supply in between and gives its power-on value."""
    RANGE = "range"
    """More or less than the sensor can measure, or than the contract takes; an open or shorted
    input too."""
    MISSING = "missing"
    """The sensor, its bus or its file is not there, does not answer, or may not be read."""
    TIMEOUT = "timeout"
    """No answer within the probe's timeout, and no next read before that one returns."""
    STUCK = "stuck"
    """The same value to the last bit for longer than its noise allows."""
    STALE = "stale"
    """Nobody has written the value anew for longer than the probe's `max_age`."""
    SYSTEM = "system"
    """The board itself lacks what a read takes: open files, memory, threads, a package. Nothing is
    known of the sensor."""


class ProbeError(Exception):
    """A read that gave a fault, with more about it than the fault's name.

    Args:
        fault: which.
        why: more about it, for people.
    """

    def __init__(self, fault: Fault, why: str) -> None:
        self.fault = fault
        self.why = why
        super().__init__(f"{fault}: {why}")
