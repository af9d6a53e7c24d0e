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

    from edge_agent.probes.bus import I2c, Spi

SPI_EXTRA: Final = "spi"


class BoardHardware:
    """See `edge_agent.probes.bus.Hardware`."""

    def i2c(self, bus: int) -> I2c:
        """The bus at /dev/i2c-``bus``."""
        return SmbusI2c(bus)

    def spi(self, select: int, mode: int = 0) -> Spi:
        """The chip at /dev/spidev0.``select``."""
        spi = GpiozeroSpi(select, mode)
        # Of the pin libraries that gpiozero can use, only lgpio works on a Pi 5.
        if "GPIOZERO_PIN_FACTORY" not in os.environ and find_spec("lgpio") is None:
            raise MissingExtraError("lgpio", SPI_EXTRA)
        return spi


class SmbusI2c:
    """A bus through smbus2; the first exchange opens it, and so does the first after an error."""

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


class GpiozeroSpi:
    """One chip select of SPI port 0 through gpiozero, opened by the first exchange.

    Args:
        select: the chip select.
        mode: clock polarity and phase, 0 to 3.
        pin_factory: makes gpiozero's pins; gpiozero chooses if it gives None.
    """

    # gpiozero makes its pin factory with the first device, and not safely from two threads.
    _opening = threading.Lock()

    def __init__(
        self, select: int, mode: int = 0, pin_factory: Callable[[], Any] = lambda: None
    ) -> None:
        try:
            import gpiozero  # noqa: PLC0415 only where a probe needs it
        except ImportError as error:
            raise MissingExtraError("gpiozero") from error
        self._gpiozero = gpiozero
        self._select = select
        self._mode = mode
        self._pin_factory = pin_factory
        self._port: Any = None

    def exchange(self, data: bytes) -> bytes:
        """Write bytes to the chip, and return as many."""
        try:
            if self._port is None:
                self._port = self._open()
            return bytes(self._port.transfer(list(data)))
        except Exception as error:
            # gpiozero passes on whatever its pin library raises. The next exchange opens it again.
            with contextlib.suppress(Exception):
                self._port.close()
            self._port = None
            raise OSError(f"{type(error).__name__}: {error}") from error

    def _open(self) -> Any:
        # gpiozero tries several pin libraries, and why one does not work is only in a warning.
        with self._opening, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                # Several probes may be behind one chip select, as with a converter.
                port = self._pins().spi(port=0, device=self._select, shared=True)
            except self._gpiozero.BadPinFactory as error:
                causes = "; ".join(str(warning.message) for warning in caught)
                raise self._gpiozero.BadPinFactory(causes or str(error)) from error
            if port.clock_mode != self._mode:
                port.clock_mode = self._mode
            return port

    def _pins(self) -> Any:
        if (pins := self._pin_factory()) is None:
            self._gpiozero.Device.ensure_pin_factory()
            pins = self._gpiozero.Device.pin_factory
        return pins
