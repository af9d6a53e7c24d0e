"""What all clients on librdkafka have in common."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError

from isotherm.errors import SettingsError
from isotherm.kafka.errors import KafkaAccessError
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isotherm.kafka.access import KafkaAccess

QUIET: Final = logging.getLogger("isotherm.librdkafka")
"""For every client: it would repeat itself while Kafka is away; our errors say it once."""
QUIET.setLevel(logging.CRITICAL + 1)


@contextmanager
def files_of_access() -> Iterator[None]:
    """Where files are read again that were fine at the start: perhaps somebody mends them now.

    Raises:
        KafkaAccessError: in place of a SettingsError, which would end the job.
    """
    try:
        yield
    except SettingsError as error:
        raise KafkaAccessError(str(error)) from error


class Heard:
    """What a client meets in the background: a call that fails knows only that it took too long.

    Attributes:
        refusal: why a broker will not have the client; None where that is not so.
    """

    def __init__(self) -> None:
        self.refusal: str | None = None

    def __call__(self, error: Any) -> None:
        """To be given as ``error_cb``."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 the library's own name
            self.refusal = refusal("kafka", error.str())

    def forget(self) -> None:
        """To be called when all went well."""
        self.refusal = None

    def why(self, said: str) -> str:
        """Why Kafka refuses us, where it does.

        Args:
            said: by the call that failed.
        """
        return self.refusal or said


def client_settings(
    access: KafkaAccess, heard: Callable[[Any], None] | None = None
) -> dict[str, Any]:
    """For every client; holds the password, so it is never shown.

    Args:
        access: the way into Kafka.
        heard: is told what goes wrong; None where nobody asks.

    Raises:
        KafkaAccessError: a file cannot be used.
    """
    with files_of_access():
        return {**access.librdkafka(), "error_cb": heard or Heard()}


def consumer_settings(
    access: KafkaAccess, isolation: str = "read_committed", heard: Heard | None = None
) -> dict[str, Any]:
    """For a consumer that is a member of no group, and commits nothing.

    Raises:
        KafkaAccessError: a file cannot be used.
    """
    return {
        **client_settings(access, heard),
        # A client cannot be without one.
        "group.id": "isotherm-aggregator",
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
