"""The 50 states and DC, with their mean annual temperature in degrees Fahrenheit.

The means are NOAA's 1971-2000 normals as the reference simulator has them; the simulated probe
starts from them, and nothing else depends on their exact value.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# fmt: off
MEAN_TEMPERATURE: Final = MappingProxyType({
    "AK": 26.6, "AL": 62.8, "AR": 60.4, "AZ": 60.3, "CA": 59.4, "CO": 45.1, "CT": 49.0, "DC": 58.5,
    "DE": 55.3, "FL": 70.7, "GA": 63.5, "HI": 70.0, "IA": 47.8, "ID": 44.4, "IL": 51.8, "IN": 51.7,
    "KS": 54.3, "KY": 55.6, "LA": 66.4, "MA": 47.9, "MD": 54.2, "ME": 41.0, "MI": 44.4, "MN": 41.2,
    "MO": 54.5, "MS": 63.4, "MT": 42.7, "NC": 59.0, "ND": 40.4, "NE": 48.8, "NH": 43.8, "NJ": 52.7,
    "NM": 53.4, "NV": 49.9, "NY": 45.4, "OH": 50.7, "OK": 59.6, "OR": 48.4, "PA": 48.8, "RI": 50.1,
    "SC": 62.4, "SD": 45.2, "TN": 57.6, "TX": 64.8, "UT": 48.6, "VA": 55.1, "VT": 42.9, "WA": 48.3,
    "WI": 43.1, "WV": 51.8, "WY": 42.0,
})
# fmt: on

STATES: Final = tuple(MEAN_TEMPERATURE)
"""The 51 codes in alphabetical order."""
