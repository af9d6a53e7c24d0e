"""The snapshot that the golden texts of console and JSON show."""

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.audit import Audit, Counts, EventTime
from aggregator.analytics.event_window import EventWindow
from aggregator.analytics.sensor_lists import Moved, Offline, Silent
from aggregator.analytics.snapshot import Snapshot

WINDOW = Analytics(
    average_temperature_by_state=(("FL", 70.70635838150288), ("HI", 70.59879999999998)),
    total_messages=10000,
    sensors_by_state=(("AK", 53),),
    total_sensors=2086,
    further={
        "minimum_temperature_by_state": (("FL", -4.0),),
        "maximum_temperature_by_state": (("FL", 104.25),),
    },
)
SINCE_START = Analytics(
    average_temperature_by_state=(("FL", 71.5),),
    total_messages=20000,
    sensors_by_state=(("AK", 54),),
    total_sensors=2090,
)
EVENT = Analytics(
    average_temperature_by_state=(("FL", 71.25),),
    total_messages=15000,
    sensors_by_state=(("FL", 55),),
    total_sensors=55,
)
EVENT_WINDOW = EventWindow(
    start="2016-11-21T13:24:57.000000Z",
    end="2016-11-21T13:29:57.000000Z",
    watermark="2016-11-21T13:29:57.480000Z",
    too_late=1234,
    ahead=1,
    exact_from=None,
)
AUDIT = Counts(expected=20100, received=19990, explained=100, duplicated=7).audit()
EVENT_TIME = EventTime(min="2016-11-21T13:30:06Z", max="2016-11-21T13:30:08.5Z", late=4, future=1)
MOVED = Moved(total=1, sensors=(("g", ("AK", "FL")),))
OFFLINE = Offline(
    total=1,
    by_state=(("AK", 1),),
    sensors=(
        Silent(
            guid="g9",
            state="AK",
            last_seen="2016-11-21T13:10:09.000000Z",
            last_event="2016-11-21T13:10:07.500000Z",
        ),
    ),
)
END = 1_479_735_009_000_000_000


def snapshot(
    *, idle: bool = False, since_start: bool = False, event: EventWindow | None = None
) -> Snapshot:
    scopes = {"window": Analytics() if idle else WINDOW}
    if since_start:
        scopes["since_start"] = SINCE_START
    if event is not None:
        scopes["event"] = EVENT
    return Snapshot(
        query_id="q",
        batch_id=7,
        start=END - 3_000_000_000,
        end=END,
        idle=idle,
        scopes=scopes,
        audit=Audit() if idle else Audit(received=9000, unsynced=3),
        audit_since_start=AUDIT if since_start else None,
        rejected={} if idle else {"not_json": 2, "unknown_state": 1},
        rejected_since_start={"not_json": 5} if since_start else None,
        event_time=None if idle else EVENT_TIME,
        event_time_since_start=EVENT_TIME if since_start else None,
        moved=Moved() if idle else MOVED,
        moved_since_start=MOVED if since_start else None,
        offline=OFFLINE if since_start else None,
        lag=0 if idle else None,
        trigger_ms=0 if idle else 912,
        event_window=event,
    )
