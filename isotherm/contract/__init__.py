"""The reading that agent, bridge and aggregator share; needs the standard library only."""

from contract.errors import IsothermError, SettingsError
from contract.reading import Clock, Gap, Origin, Reading, encode
from contract.reasons import Reason, Rejection
from contract.verdict import decode, judge

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
