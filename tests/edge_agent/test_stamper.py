from contract.fields import Clock
from contract.reading import Origin, Reading
from contract.verdict import decode
from edge_agent.sample import Sample
from edge_agent.stamper import Stamper, new_epoch

NOW = 1_479_302_799_447_974_000


def test_a_reading_says_all_about_itself() -> None:
    stamper = Stamper(destination="d", epoch="0123456789abcdef")
    assert decode(stamper.encode(Sample("g0", "CA", 59.0, NOW, 1))) == Reading(
        guid="g0",
        destination="d",
        state="CA",
        event_time=NOW,
        temperature=59.0,
        origin=Origin(epoch="0123456789abcdef", seq=1, clock=Clock.SYNCED),
    )


def test_each_sensor_counts_for_itself() -> None:
    stamper = Stamper(destination="d", epoch="0123456789abcdef")
    raws = [stamper.encode(Sample(guid, "CA", 59.0, NOW, 1)) for guid in ("g0", "g0", "g1", "g0")]
    origins = [(reading.guid, reading.origin) for reading in map(decode, raws)]
    seqs = [(guid, origin.seq) for guid, origin in origins if origin]
    assert seqs == [("g0", 1), ("g0", 2), ("g1", 1), ("g0", 3)]


def test_epochs_differ() -> None:
    assert new_epoch() != new_epoch()
