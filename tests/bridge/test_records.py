from __future__ import annotations

import json

from bridge.mqtt.framing import Frame
from bridge.records import PART_BYTES, Letter, Record, dead_letter, sift, split_payload
from isotherm.contract import Reason, Rejection
from tests.bridge.readings import reading
from tests.support.golden import cases


def reasons(payload: bytes) -> list[str | None]:
    return [
        None if isinstance(item, Record) else item.rejection.reason.value
        for item in split_payload(payload)
    ]


def test_one_reading_is_one_record_byte_for_byte_with_its_guid_as_key() -> None:
    payload = b"  " + reading("späť-1") + b" "
    assert list(split_payload(payload)) == [Record("späť-1".encode(), payload)]


def test_a_gap_travels_like_a_reading() -> None:
    (case,) = (case for case in cases() if case.name == "gaps")
    for record, verdict in zip(case.records, case.verdicts, strict=True):
        if verdict == "gap":
            key = json.loads(record)["guid"].encode()
            assert list(split_payload(record)) == [Record(key, record)]


def test_lines_are_separate_records_without_their_line_ends() -> None:
    one, two = reading("a"), reading("b")
    expected = [Record(b"a", one), Record(b"b", two)]
    assert list(split_payload(one + b"\n" + two)) == expected
    assert list(split_payload(one + b"\r\n\r\n" + two + b"\r\n")) == expected


def test_one_bad_line_of_500_harms_none_of_its_neighbours() -> None:
    lines = [reading(f"g{i}") for i in range(500)]
    for bad, reason in ((b"\xff{", "not_utf8"), (b"hello", "not_json"), (b"{}", "missing_field")):
        lines[250] = bad
        items = list(split_payload(b"\n".join(lines)))
        assert [item.value for item in items] == lines
        letters = [(i, item) for i, item in enumerate(items) if isinstance(item, Letter)]
        assert [(i, letter.rejection.reason.value) for i, letter in letters] == [(250, reason)]


def test_one_object_written_over_several_lines_is_one_record() -> None:
    pretty = json.dumps(json.loads(reading("p")), indent=2).encode()
    assert list(split_payload(pretty)) == [Record(b"p", pretty)]
    bad = json.dumps({"guid": "p"}, indent=2).encode()
    [letter] = split_payload(bad)
    assert isinstance(letter, Letter)
    assert (letter.value, letter.rejection.reason) == (bad, Reason.MISSING_FIELD)


def test_an_empty_or_blank_payload_is_one_dead_letter() -> None:
    for payload in (b"", b" ", b"\n", b"\r\n\r\n"):
        [letter] = split_payload(payload)
        assert isinstance(letter, Letter)
        assert (letter.value, letter.rejection.reason) == (payload, Reason.NOT_JSON)


def test_two_bad_lines_are_two_dead_letters() -> None:
    assert reasons(b"hello\nworld") == ["not_json", "not_json"]
    assert reasons(b"{}\n\xff") == ["missing_field", "not_utf8"]


def test_a_dead_letter_carries_its_bytes_its_reason_and_where_it_came_from() -> None:
    letter = Letter(b"hello", Rejection(Reason.NOT_JSON, "no"))
    [record] = dead_letter(letter, b"isotherm/v1/readings/07/pi", 1_479_302_799_447_974_000)
    assert record.value == b"hello"
    assert dict(record.headers) == {
        "reason": b"not_json",
        "detail": b"no",
        "mqtt_topic": b"isotherm/v1/readings/07/pi",
        "time": b"2016-11-16T13:26:39.447974Z",
        "parts": b"1",
        "part": b"1",
    }


def test_a_large_dead_letter_goes_in_parts_that_join_to_the_original() -> None:
    value = bytes(range(256)) * 10_000
    records = dead_letter(Letter(value, Rejection(Reason.TOO_LARGE, "")), b"t", 0)
    assert b"".join(record.value for record in records) == value
    assert max(len(record.value) for record in records) <= PART_BYTES
    assert len({record.key for record in records}) == 1
    parts = [(dict(r.headers)["part"], dict(r.headers)["parts"]) for r in records]
    assert parts == [(b"1", b"3"), (b"2", b"3"), (b"3", b"3")]


def test_sifting_gives_what_splitting_gives_for_any_lines() -> None:
    good, bad = reading("a", 1), b"hello"
    ends = (b"\n", b"\r\n", b"\n\n", b" \n")
    payloads = [
        end.join(lines) + tail
        for end in ends
        for tail in (b"", *ends)
        for lines in ((good,), (good, good), (good, bad), (bad, bad), (b"", good), (good, b"", bad))
    ]
    payloads += [b"", b"\n", good + b"\r", json.dumps(json.loads(good), indent=1).encode()]
    for payload in payloads:
        readings: list[Record] = []
        letters = sift([Frame(b"t", payload, 1, duplicate=False, retained=False)], readings)
        items = list(split_payload(payload))
        assert readings == [item for item in items if isinstance(item, Record)]
        assert letters == [(item, b"t") for item in items if isinstance(item, Letter)]
