"""The reading that agent, bridge and aggregator share; needs the standard library only."""

from isotherm.contract.reading import Clock, Gap, Origin, Reading, encode
from isotherm.contract.reasons import Reason, Rejection
from isotherm.contract.verdict import decode, judge
from isotherm.errors import IsothermError, SettingsError

__all__ = [
    "Clock",
    "Gap",
    "IsothermError",
    "Origin",
    "Reading",
    "Reason",
    "Rejection",
    "SettingsError",
    "decode",
    "encode",
    "judge",
]
