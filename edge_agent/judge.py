"""What is wrong with a temperature that a probe gave without complaint."""

from __future__ import annotations

from edge_agent.probes.fault import Fault
from edge_agent.probes.temperature import fahrenheit
from isotherm.contract.fields import is_temperature


class Judge:
    """Judges the temperatures of one probe, one after the other.

    Args:
        stuck_after: readings in a row that may be equal to the last bit; the next equal one is
            `Fault.STUCK`. 0 where equal readings are nothing strange: a coarse probe in a cellar
            gives the same number for hours.
    """

    def __init__(self, stuck_after: int = 0) -> None:
        self._stuck_after = stuck_after
        self._last: float | None = None
        self._equal = 0

    def judge(self, celsius: float) -> float | Fault:
        """Degrees Fahrenheit that the contract takes, or what is wrong; takes degrees Celsius."""
        self._equal = self._equal + 1 if celsius == self._last else 1
        self._last = celsius
        if self._stuck_after and self._equal > self._stuck_after:
            return Fault.STUCK
        temperature = fahrenheit(celsius)
        return temperature if is_temperature(temperature) else Fault.RANGE
