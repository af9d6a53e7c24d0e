"""The one table of the reading's fields: the verdict, the JSON Schema and the Spark schema read it.

A row is checked after the rows above it, so the order of this table is the order in which the
reasons for rejection are looked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import EVENT_TIME_PATTERN, is_event_time
from isotherm.contract.reasons import Reason
from isotherm.contract.states import MEAN_TEMPERATURE, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMAT: Final = "urn:example:sensor:temp"
GAP_FORMAT: Final = "urn:isotherm:gap:1"
"""Of a record that says which readings a sender had and dropped."""
MIN_TEMPERATURE: Final = -150.0
MAX_TEMPERATURE: Final = 310.0
MAX_GUID_LENGTH: Final = 128
MAX_SEQ: Final = 2**53 - 1
"""The largest whole number that all readers of JSON have exactly (RFC 8259 section 6): a sensor
that counts a million records a second reaches it after 285 years."""
MAX_WHY_LENGTH: Final = 64
EPOCH_PATTERN: Final = r"^[0-9a-f]{16}$"
_EPOCH = re.compile(EPOCH_PATTERN.strip("^$"))


class Clock(StrEnum):
    """What the agent knew of its clock when it stamped the reading."""

    SYNCED = "synced"
    CORRECTED = "corrected"
    UNSYNCED = "unsynced"


CLOCKS: Final = frozenset(clock.value for clock in Clock)


class Kind(StrEnum):
    """The JSON types that fields have; JSON has one type of number, so 3.0 is an integer."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    OBJECT = "object"

    def accepts(self, value: object) -> bool:
        """Whether a value from `json.loads` is of this kind; true and false are no numbers."""
        match self:
            case Kind.STRING:
                return isinstance(value, str)
            case Kind.OBJECT:
                return isinstance(value, dict)
            case Kind.NUMBER:
                return isinstance(value, int | float) and not isinstance(value, bool)
            case Kind.INTEGER:
                return (isinstance(value, int) and not isinstance(value, bool)) or (
                    isinstance(value, float) and value.is_integer()
                )


def is_guid(guid: str) -> bool:
    """1 to 128 printable characters (`str.isprintable`: no controls, no lone surrogates)."""
    return 0 < len(guid) <= MAX_GUID_LENGTH and guid.isprintable()


def is_temperature(fahrenheit: float) -> bool:
    """Finite and within what a probe on Earth can see, degrees Fahrenheit."""
    return MIN_TEMPERATURE <= fahrenheit <= MAX_TEMPERATURE


def is_epoch(epoch: str) -> bool:
    """16 lower-case hex digits."""
    return _EPOCH.fullmatch(epoch) is not None


def is_seq(seq: float) -> bool:
    """1 to `MAX_SEQ`."""
    return 1 <= seq <= MAX_SEQ


def is_why(why: str) -> bool:
    """1 to 64 printable characters."""
    return 0 < len(why) <= MAX_WHY_LENGTH and why.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row: a member of the reading's JSON object.

    Attributes:
        path: names from the top of the object, such as ``("payload", "format")``.
        kind: the JSON type.
        meaning: one sentence for people, with the unit.
        required: an optional field may be absent or null.
        valid: judges a value of the right kind; None where every such value is good.
        reason: the verdict where `valid` says no.
        json_schema: keywords beside ``type`` in the JSON Schema; as strict as that language can be.
    """

    path: tuple[str, ...]
    kind: Kind
    meaning: str
    required: bool = True
    valid: Callable[[Any], bool] | None = None
    reason: Reason = Reason.WRONG_TYPE
    json_schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dotted path, as messages to people have it."""
        return ".".join(self.path)


FIELDS: Final = (
    Field(
        path=("guid",),
        kind=Kind.STRING,
        meaning="Names the sensor; 1 to 128 printable characters; a guid keeps its state.",
        valid=is_guid,
        reason=Reason.BAD_GUID,
        json_schema={"minLength": 1, "maxLength": MAX_GUID_LENGTH},
    ),
    Field(
        path=("destination",),
        kind=Kind.STRING,
        meaning="Names whom the reading is for; any text.",
    ),
    Field(
        path=("state",),
        kind=Kind.STRING,
        meaning="One of the 51 codes: 50 states and DC.",
        valid=MEAN_TEMPERATURE.__contains__,
        reason=Reason.UNKNOWN_STATE,
        json_schema={"enum": list(STATES)},
    ),
    Field(
        path=("eventTime",),
        kind=Kind.STRING,
        meaning="When the probe was read: RFC 3339, UTC with Z, 0 to 9 fraction digits.",
        valid=is_event_time,
        reason=Reason.BAD_EVENT_TIME,
        json_schema={"pattern": EVENT_TIME_PATTERN},
    ),
    Field(path=("payload",), kind=Kind.OBJECT, meaning="What was measured, and how it is written."),
    Field(
        path=("payload", "format"),
        kind=Kind.STRING,
        meaning=f"Always {FORMAT}.",
        valid=FORMAT.__eq__,
        reason=Reason.UNKNOWN_FORMAT,
        json_schema={"const": FORMAT},
    ),
    Field(path=("payload", "data"), kind=Kind.OBJECT, meaning="The measured values."),
    Field(
        path=("payload", "data", "temperature"),
        kind=Kind.NUMBER,
        meaning="Degrees Fahrenheit, finite, -150 to 310.",
        valid=is_temperature,
        reason=Reason.BAD_TEMPERATURE,
        json_schema={"minimum": MIN_TEMPERATURE, "maximum": MAX_TEMPERATURE},
    ),
    Field(
        path=("origin",),
        kind=Kind.OBJECT,
        meaning="Where in its sensor's sequence the reading stands; written by our agent.",
        required=False,
    ),
    Field(
        path=("origin", "epoch"),
        kind=Kind.STRING,
        meaning="Names one sequence counter: 16 lower-case hex digits.",
        valid=is_epoch,
        json_schema={"pattern": EPOCH_PATTERN},
    ),
    Field(
        path=("origin", "seq"),
        kind=Kind.INTEGER,
        meaning="Counts the records of this guid and epoch from 1 without gaps.",
        valid=is_seq,
        json_schema={"minimum": 1, "maximum": MAX_SEQ},
    ),
    Field(
        path=("origin", "clock"),
        kind=Kind.STRING,
        meaning="Whether the agent's clock was in sync: synced, corrected or unsynced.",
        valid=CLOCKS.__contains__,
        json_schema={"enum": sorted(CLOCKS)},
    ),
)


def _lost(name: str, meaning: str) -> Field:
    return Field(
        path=("payload", "data", name),
        kind=Kind.INTEGER,
        meaning=meaning,
        valid=is_seq,
        json_schema={"minimum": 1, "maximum": MAX_SEQ},
    )


_OWN_TO_GAPS: Final = {
    ("payload", "format"): Field(
        path=("payload", "format"),
        kind=Kind.STRING,
        meaning=f"Always {GAP_FORMAT}.",
        valid=GAP_FORMAT.__eq__,
        reason=Reason.UNKNOWN_FORMAT,
        json_schema={"const": GAP_FORMAT},
    ),
    ("payload", "data"): Field(
        path=("payload", "data"), kind=Kind.OBJECT, meaning="Which readings were dropped."
    ),
    ("origin",): Field(
        path=("origin",),
        kind=Kind.OBJECT,
        meaning="Where in its sensor's sequence the gap itself stands.",
    ),
}
_OF_READINGS_ALONE: Final = ("payload", "data", "temperature")
_LOST: Final = (
    Field(
        path=("payload", "data", "epoch"),
        kind=Kind.STRING,
        meaning="The epoch of the dropped readings.",
        valid=is_epoch,
        json_schema={"pattern": EPOCH_PATTERN},
    ),
    _lost("first", "The lowest seq that was dropped."),
    _lost("last", "The highest seq that was dropped; not below first."),
    _lost("count", "How many were dropped, first and last included; others between were not."),
    Field(
        path=("payload", "data", "reason"),
        kind=Kind.STRING,
        meaning="Why, in a word: drop_oldest, drop_newest, thin or file_lost from our agent.",
        valid=is_why,
        json_schema={"minLength": 1, "maxLength": MAX_WHY_LENGTH},
    ),
)

GAP_FIELDS: Final = tuple(
    gap
    for field in FIELDS
    for gap in (
        _LOST if field.path == _OF_READINGS_ALONE else (_OWN_TO_GAPS.get(field.path, field),)
    )
)
"""The rows of a gap: a reading's, with what was dropped instead of a temperature."""
