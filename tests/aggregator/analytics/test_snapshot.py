import json
from dataclasses import asdict, replace

import jsonschema
import pytest

from aggregator.analytics.snapshot import Snapshot, to_json
from isotherm.contract import Reason
from isotherm.contract.schema import SCHEMAS
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot

SCHEMA = json.loads((SCHEMAS / "snapshot.schema.json").read_text(encoding="utf-8"))
GOLDEN = (
    '{"schema":"isotherm.snapshot/1","revision":1,"query_id":"q","batch_id":7,'
    '"window":{"start":"2016-11-21T13:30:06.000000Z","end":"2016-11-21T13:30:09.000000Z"},'
    '"idle":false,"scopes":{"window":{"average_temperature_by_state":'
    '[["FL",70.70635838150288],["HI",70.59879999999998]],"total_messages":10000,'
    '"sensors_by_state":[["AK",53]],"total_sensors":2086,'
    '"minimum_temperature_by_state":[["FL",-4.0]],"maximum_temperature_by_state":[["FL",104.25]]}},'
    '"audit":{"received":9000,"gaps":0,"explained":0,"duplicated":0,"unsynced":3},"rejected":{"not_json":2,"unknown_state":1},'
    '"event_time":{"min":"2016-11-21T13:30:06Z","max":"2016-11-21T13:30:08.5Z","late":4,"future":1},'
    '"moved":{"total":1,"sensors":[{"guid":"g","states":["AK","FL"]}]},'
    '"lag":null,"trigger_ms":912}'
)


def test_the_line_is_as_documented() -> None:
    assert to_json(snapshot()) == GOLDEN


@pytest.mark.parametrize(
    "made",
    (
        snapshot(),
        snapshot(since_start=True),
        snapshot(idle=True),
        snapshot(idle=True, since_start=True),
        snapshot(event=EVENT_WINDOW),
        snapshot(
            idle=True,
            event=replace(
                EVENT_WINDOW,
                start=None,
                end=None,
                watermark=None,
                exact_from=EVENT_WINDOW.end,
            ),
        ),
    ),
)
def test_every_line_fits_the_schema(made: Snapshot) -> None:
    jsonschema.validate(json.loads(to_json(made)), SCHEMA)


def test_the_event_window_is_a_scope_and_says_where_it_is() -> None:
    wire = json.loads(to_json(snapshot(event=EVENT_WINDOW)))
    assert list(wire["scopes"]) == ["window", "event"]
    assert wire["event_window"] == asdict(EVENT_WINDOW)


def test_the_schema_refuses_what_is_not_documented() -> None:
    strange = json.loads(GOLDEN) | {"surprise": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(strange, SCHEMA)


def test_the_schema_knows_the_reasons_of_the_contract() -> None:
    assert SCHEMA["$defs"]["reasons"]["propertyNames"]["enum"] == [*Reason]
