"""What can go wrong in the aggregator.

AggregatorError
├── ConnectorError           spark-submit was started without the right Kafka connector
├── JavaMissingError         there is no Java that Spark can run on
├── CheckpointError          the checkpoint cannot be read, or belongs to another topic
├── DataLossError            Kafka no longer has records that were not counted yet
├── LedgerError              the ledger does not fit the checkpoint, or cannot be read or written
│   ├── LedgerWriteError     it cannot be written, as on a full disk (retriable)
│   └── BrokenLedgerError    its numbers do not agree with each other, or with the checkpoint
├── DeadLetterError          the dead-letter topic does not take a rejected record (retriable)
│   ├── LetterTooLargeError  the topic does not take records of that size
│   └── FencedError          another job writes the dead letters of this checkpoint
├── SinkError                a snapshot could not be written where the person asked for it
├── HistoryError             the history holds nothing, or the SQL over it is wrong
├── WorkerError              a process that worked for Spark is gone (retriable)
└── QueryError               Spark ended the query for another reason

`isotherm.kafka.errors` has those of the way into Kafka, which other programs share.
"""

from __future__ import annotations

from isotherm.errors import EXIT_DEPENDENCY, EXIT_OTHER, EXIT_USAGE, IsothermError


class AggregatorError(IsothermError):
    """The root of this program's errors."""


class ConnectorError(AggregatorError):
    """spark-submit was started without the Kafka connector, or with one of another version."""

    exit_code = EXIT_USAGE


class JavaMissingError(AggregatorError):
    """There is no Java that Spark can run on."""

    exit_code = EXIT_DEPENDENCY


class CheckpointError(AggregatorError):
    """The checkpoint cannot be read, or belongs to another topic."""

    exit_code = EXIT_USAGE


class DataLossError(AggregatorError):
    """Kafka no longer has records that the job has not counted yet."""


class LedgerError(AggregatorError):
    """The ledger does not fit the checkpoint, or cannot be read or written."""

    exit_code = EXIT_USAGE


class LedgerWriteError(LedgerError):
    """The ledger cannot be written, as on a full disk: the batch is counted at the next start."""

    exit_code = EXIT_OTHER
    retriable = True


class BrokenLedgerError(LedgerError):
    """The ledger's numbers do not agree with each other, or with the checkpoint."""

    exit_code = EXIT_OTHER


class DeadLetterError(AggregatorError):
    """A rejected record cannot be written to the dead-letter topic, so its batch waits."""

    retriable = True
    exit_code = EXIT_DEPENDENCY


class LetterTooLargeError(DeadLetterError):
    """The dead-letter topic does not take records as large as a letter's parts."""


class FencedError(DeadLetterError):
    """Another job writes the dead letters of this checkpoint; the older one ends."""

    retriable = False
    exit_code = EXIT_OTHER


class SinkError(AggregatorError):
    """A snapshot could not be written where the person asked for it."""


class HistoryError(AggregatorError):
    """The history holds nothing, or the SQL over it is wrong."""

    exit_code = EXIT_USAGE


class WorkerError(AggregatorError):
    """A process that worked for Spark is gone, such as one that the system killed for its memory.

    Nothing of its batch is counted, so it is tried again.
    """

    retriable = True


class QueryError(AggregatorError):
    """Spark ended the query."""


class StoppingError(Exception):
    """A batch wanted to begin after the person asked for the end; Spark will replay it."""
