"""An MCP3008 on SPI that answers byte for byte, below gpiozero's own code for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEPS: Final = 1_023
START: Final = 0x01


class MockMcp3008:
    """One converter.

    Args:
        volts: at each input, 0 to 7.
        vref: volts that give 1023.
    """

    def __init__(self, volts: Callable[[int], float], vref: float) -> None:
        self._volts = volts
        self._vref = vref

    def transfer(self, data: Sequence[int]) -> list[int]:
        """Three bytes out for three bytes in, as in figure 6-1 of Microchip's data sheet."""
        start, command, _ = data
        if start != START:
            return [0, 0, 0]
        steps = round(self._volts(command >> 4 & 0b111) / self._vref * STEPS)
        return [0, *max(0, min(steps, STEPS)).to_bytes(2)]

    def pin_factory(self) -> Any:
        """A pin factory for gpiozero, all of whose SPI is this converter."""
        from gpiozero.pins.mock import MockFactory  # noqa: PLC0415 only where a probe needs it

        converter = self

        class Spi:
            bits_per_word = 8

            def transfer(self, data: Sequence[int]) -> list[int]:
                return converter.transfer(data)

            def close(self) -> None:
                pass

        class Factory(MockFactory):  # type: ignore[misc]
            def spi(self, **_pins: Any) -> Spi:
                return Spi()

        return Factory()
