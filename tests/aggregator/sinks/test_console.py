from dataclasses import replace

from aggregator.sinks.console import render
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot

REFERENCE = """\
-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
('FL', 70.70635838150288)
('HI', 70.59879999999998)

-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
Total number of messages: 10000

-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
('AK', 53)

-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
Total number of sensors: 2086

"""
REJECTED = """\
-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
Rejected: 2 not_json, 1 unknown_state

"""
SINCE_START = """\
-------------------------------------------
Time: 2016-11-21 13:30:09  since start
-------------------------------------------
('FL', 71.5)

-------------------------------------------
Time: 2016-11-21 13:30:09  since start
-------------------------------------------
Total number of messages: 20000

-------------------------------------------
Time: 2016-11-21 13:30:09  since start
-------------------------------------------
('AK', 54)

-------------------------------------------
Time: 2016-11-21 13:30:09  since start
-------------------------------------------
Total number of sensors: 2090

-------------------------------------------
Time: 2016-11-21 13:30:09  since start
-------------------------------------------
Rejected: 5 not_json

"""
EVENT_TITLE = "Time: 2016-11-21 13:30:09  event time 2016-11-21 13:24:57 to 13:29:57"
IDLE = """\
-------------------------------------------
Time: 2016-11-21 13:30:09
-------------------------------------------
No new messages

"""


def test_a_trigger_without_bad_records_is_the_reference_layout() -> None:
    assert render(replace(snapshot(), rejected={})) == REFERENCE


def test_bad_records_have_a_block_of_their_own() -> None:
    assert render(snapshot()) == REFERENCE + REJECTED


def test_since_start_follows_and_says_so() -> None:
    assert render(snapshot(since_start=True)) == REFERENCE + REJECTED + SINCE_START


def test_the_event_window_says_where_it_is_and_what_it_leaves_out() -> None:
    text = render(snapshot(event=EVENT_WINDOW))
    assert text.startswith(REFERENCE + REJECTED)
    rest = text.removeprefix(REFERENCE + REJECTED)
    assert rest.count(f"{EVENT_TITLE}\n") == rest.count("Time: ") == 5
    assert "Total number of messages: 15000\n" in rest
    assert rest.endswith("Left out since it began: 1,234 too late, 1 too far ahead\n\n")
    whole = render(snapshot(event=replace(EVENT_WINDOW, too_late=0, ahead=0)))
    assert "Left out" not in whole


def test_an_event_window_that_is_not_whole_or_not_there_yet_says_so() -> None:
    window = replace(
        EVENT_WINDOW, start="2016-11-20T13:29:57.000000Z", exact_from="2016-11-21T13:29:00.000000Z"
    )
    title = "event time 2016-11-20 13:29:57 to 2016-11-21 13:29:57, exact from 2016-11-21 13:29:00"
    assert title in render(snapshot(event=window))
    assert "no reading yet" in render(snapshot(event=replace(window, start=None, end=None)))


def test_an_idle_trigger_is_one_block() -> None:
    assert render(snapshot(idle=True, since_start=True)) == IDLE
