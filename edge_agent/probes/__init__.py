"""The drivers of probes: each module here is one (see `edge_agent.probe`)."""

from __future__ import annotations

from typing import Final

# A list, and not what is found in the folder: whether a driver is known must not depend on who may
# read the folder, or on whether the program is packed into one file.
NAMES: Final = ("bme280", "file", "mcp3008", "sht3x", "simulated", "thermal_zone", "w1")
"""All of them."""
