"""What can go wrong on the way into Kafka.

IsothermError
└── KafkaUnavailableError    no broker answers, or the topic is not there (retriable)
    └── KafkaAccessError     a broker answers, but refuses access
"""

from __future__ import annotations

from isotherm.errors import EXIT_DEPENDENCY, IsothermError


class KafkaUnavailableError(IsothermError):
    """No broker answers, or the topic is not there."""

    retriable = True
    exit_code = EXIT_DEPENDENCY


class KafkaAccessError(KafkaUnavailableError):
    """A broker answers, but refuses access; or a file that it takes cannot be used any more.

    The sentence names the setting. Retriable, as in the bridge: what a person mends may be the
    broker's users or certificates, or a file, and the next try reads it again.
    """
