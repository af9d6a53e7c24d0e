"""Twins of the board's I2C and SPI: chips that answer byte for byte, without any hardware.

`device.hardware = "mock"` makes the agent use `MockHardware`; from Python give `Site` one with
chips of your own.
"""

from __future__ import annotations

from edge_agent.mocks.board import MockHardware, MockI2c, wave
from edge_agent.mocks.chips import MockBme280, MockChip, MockSht3x
from edge_agent.mocks.mcp3008 import MockMcp3008

__all__ = [
    "MockBme280",
    "MockChip",
    "MockHardware",
    "MockI2c",
    "MockMcp3008",
    "MockSht3x",
    "wave",
]
