"""Why a record is not a reading: a closed list, the same in every program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isotherm.errors import IsothermError


class Reason(StrEnum):
    """The closed list of reasons for rejection, in the order in which they are looked for."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_GUID = "bad_guid"
    UNKNOWN_STATE = "unknown_state"
    BAD_EVENT_TIME = "bad_event_time"
    UNKNOWN_FORMAT = "unknown_format"
    BAD_TEMPERATURE = "bad_temperature"
    UNCOUNTABLE = "uncountable"
    """Never of a verdict: the job cannot count a record that is fine by the contract, or a fault of
    ours kept a record from being judged."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The verdict on a record that is not a reading.

    Attributes:
        reason: one of the closed list.
        detail: where and what, for the person who looks into the dead-letter topic; never parsed.
    """

    reason: Reason
    detail: str


class ReadingRejectedError(IsothermError, ValueError):
    """Raised by `isotherm.contract.decode` for a record that is no reading; has its `rejection`."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection
        super().__init__(f"{rejection.reason}: {rejection.detail}")
