from edge_agent.outbox.entry import Entry, Lost
from edge_agent.outbox.storage.write_queue import WriteQueue

READING = Entry(1, "g", "ab" * 8, 1, "CA", 0, 0, "b0" * 16, synced=True, temperature=59.7)
GAP = READING._replace(id=2, seq=2, temperature=None, lost=Lost("cd" * 8, 3, 9, 7, "file_lost"))


def test_a_full_outbox_takes_back_readings_and_no_gap_that_tells_of_others() -> None:
    queue = WriteQueue()
    queue.add([READING, GAP], {"g": 2})
    assert queue.cancel([1, 2], 1) == [READING]
    assert queue.cancel([1, 2], 1) == []
    assert queue.unwritten == {2: GAP}
