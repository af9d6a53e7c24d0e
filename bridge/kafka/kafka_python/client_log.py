"""What kafka-python logs, and only logs: why a connection ended."""

from __future__ import annotations

import logging
from typing import Final

from isotherm.settings.refusal import refusal

_DNS: Final = "DNS lookup failed for "
NAMELESS: Final = "DNS Resolution failure"


class _LastError(logging.Handler):
    """Keeps why the last connection ended: kafka-python logs that, and raises a timeout.

    It logs, too, which name was not found; a Kafka may name other hosts than the settings do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.why = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        why = message if message.startswith(_DNS) else message.partition("Connection lost: ")[2]
        # Of many attempts some meet the end of the connection before its reason.
        if why and not refusal("kafka", self.why) and NAMELESS not in why:
            self.why = why


LAST_ERROR: Final = _LastError()
"""Empty its `why` before a wait, and ask it after."""

# It would repeat itself while Kafka is away; the bridge says it once.
logging.getLogger("kafka").setLevel(logging.CRITICAL)
for _name, _level in (("kafka.net.connection", logging.ERROR), ("kafka.net.inet", logging.WARNING)):
    _logger = logging.getLogger(_name)
    _logger.setLevel(_level)
    _logger.propagate = False
    _logger.addHandler(LAST_ERROR)
