"""The real buses of a board: I2C through smbus2, SPI through gpiozero."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from edge_agent.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.site import Adc, I2c

SPI_EXTRA: Final = "spi"


class BoardHardware:
    """See `edge_agent.site.Hardware`."""

    def i2c(self, bus: int) -> I2c:
        """The bus at /dev/i2c-``bus``."""
        return SmbusI2c(bus)

    def adc(self, select: int, channel: int) -> Adc:
        """An input of the MCP3008 at this chip select."""
        if "GPIOZERO_PIN_FACTORY" not in os.environ and find_spec("lgpio") is None:
            raise MissingExtraError("lgpio", SPI_EXTRA)
        return GpiozeroAdc(select, channel)


class SmbusI2c:
    """A bus through smbus2; it is opened by the first exchange, and anew after an error."""

    def __init__(self, bus: int) -> None:
        try:
            import smbus2  # noqa: PLC0415 only where a probe needs it
        except ImportError as error:
            raise MissingExtraError("smbus2") from error
        self._smbus2 = smbus2
        self._path = f"/dev/i2c-{bus}"
        self._bus: smbus2.SMBus | None = None

    def exchange(self, address: int, write: bytes, read: int) -> bytes:
        """Write some bytes to a chip, then read so many."""
        if self._bus is None:
            self._bus = self._smbus2.SMBus(self._path)
        message = self._smbus2.i2c_msg
        reading = message.read(address, read)
        messages = [message.write(address, write)] if write else []
        try:
            self._bus.i2c_rdwr(*messages, *([reading] if read else []))
        except OSError:
            self._bus.close()
            self._bus = None
            raise
        return bytes(reading)


class GpiozeroAdc:
    """One input of an MCP3008 through gpiozero, opened by the first read.

    Args:
        select: the chip select of SPI port 0.
        channel: the input.
        pin_factory: makes gpiozero's pins; gpiozero chooses if there is none.
    """

    # gpiozero makes its pin factory at the first device, and does not expect two threads there.
    _opening = threading.Lock()

    def __init__(
        self, select: int, channel: int, pin_factory: Callable[[], Any] = lambda: None
    ) -> None:
        try:
            import gpiozero  # noqa: PLC0415 only where a probe needs it
        except ImportError as error:
            raise MissingExtraError("gpiozero") from error
        self._gpiozero = gpiozero
        self._facts = {"port": 0, "device": select, "channel": channel}
        self._pin_factory = pin_factory
        self._input: Any = None

    def read(self) -> int:
        """What it measures now, 0 to 1023."""
        try:
            if self._input is None:
                self._input = self._open()
            return int(self._input.raw_value)
        except Exception as error:
            # gpiozero lets through whatever its pin library raises; the next read begins anew.
            with contextlib.suppress(Exception):
                self._input.close()
            self._input = None
            raise OSError(f"{type(error).__name__}: {error}") from error

    def _open(self) -> Any:
        # gpiozero tries several pin libraries, and only warns of what kept it from each.
        with self._opening, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                return self._gpiozero.MCP3008(pin_factory=self._pin_factory(), **self._facts)
            except self._gpiozero.BadPinFactory as error:
                causes = "; ".join(str(warning.message) for warning in told)
                raise self._gpiozero.BadPinFactory(causes or str(error)) from error
