from dataclasses import replace

from aggregator.console import render
from tests.aggregator.golden import snapshot

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


def test_an_idle_trigger_is_one_block() -> None:
    assert render(snapshot(idle=True, since_start=True)) == IDLE
