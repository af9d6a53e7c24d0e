from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from isotherm.mqtt.status import SCHEMA, Mark, ProbeState, Status, decode_mark, encode_status

STATUS = Status(
    online=True,
    time=1_479_302_799_447_974_000,
    version="0.1.0",
    boot="b" * 32,
    life="0123456789abcdef",
    epoch="5f1c00a27b9d3e44",
    next_id=1842,
    clock="synced",
    outbox={"rows": 3},
    probes=(
        ProbeState(
            guid="g ü",
            driver="w1",
            fault="crc",
            since=1_479_302_799_000_000_000,
            readings=7,
            faults={"crc": 2},
        ),
    ),
)


def test_a_status_is_one_json_object_with_times_as_in_a_reading() -> None:
    wire = json.loads(encode_status(STATUS))
    assert wire["schema"] == SCHEMA
    assert wire["online"] is True
    assert wire["time"] == "2016-11-16T13:26:39.447974Z"
    assert wire["outbox"] == {"rows": 3}
    assert wire["probes"] == [
        {
            "guid": "g ü",
            "driver": "w1",
            "fault": "crc",
            "since": "2016-11-16T13:26:39.000000Z",
            "readings": 7,
            "faults": {"crc": 2},
        }
    ]


def test_it_says_how_far_the_device_had_counted_whether_online_or_not() -> None:
    mark = Mark("5f1c00a27b9d3e44", 1842, "0123456789abcdef")
    for online in (True, False):
        assert decode_mark(encode_status(replace(STATUS, online=online))) == mark


def _changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(encode_status(STATUS)) | fields).encode()


@pytest.mark.parametrize(
    "payload",
    (
        b"",
        b"offline",
        b"\xff",
        b"[" * 100_000,
        encode_status(STATUS) + b" " * (1 << 20),
        encode_status(STATUS).replace(b'"rows":3', b'"rows":NaN'),
        encode_status(STATUS).replace(b'"rows":3', b'"rows":1e999'),
        b"[]",
        b"{}",
        _changed(schema="isotherm.status/2"),
        _changed(epoch=None),
        _changed(epoch="5F1C00A27B9D3E44"),
        _changed(life=7),
        _changed(next_id=0),
        _changed(next_id=True),
        _changed(next_id="1842"),
        _changed(next_id=2**63),
    ),
)
def test_what_is_no_status_of_ours_says_nothing(payload: bytes) -> None:
    assert decode_mark(payload) is None
