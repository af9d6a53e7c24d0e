from edge_agent.outbox.entry import Lost
from edge_agent.outbox.stamper import Stamper
from edge_agent.sampling.sample import Sample


def _sample(guid: str) -> Sample:
    return Sample(guid, "CA", 59.7, 2_000, 1_000)


def test_each_sensor_counts_from_1_or_from_what_was_saved() -> None:
    stamper = Stamper("e" * 16, {"b": 7})
    found = [
        stamper.stamp(_sample(guid), id=1, boot="", synced=True) for guid in ("a", "b", "a", "b")
    ]
    assert [(entry.guid, entry.seq) for entry in found] == [
        ("a", 1),
        ("b", 8),
        ("a", 2),
        ("b", 9),
    ]
    assert {entry.epoch for entry in found} == {"e" * 16}
    assert stamper.seqs == {"a": 2, "b": 9}


def test_a_temperature_is_as_it_comes_back_from_the_disk() -> None:
    stamper = Stamper("e" * 16)
    sample = _sample("a")._replace(temperature=-0.0)
    entry = stamper.stamp(sample, id=1, boot="", synced=True)
    assert repr(entry.temperature) == "0.0"


def test_a_gap_takes_a_place_of_its_own() -> None:
    stamper = Stamper("e" * 16)
    like = stamper.stamp(_sample("a"), id=1, boot="b", synced=False)
    gap = stamper.gap(like, Lost("f" * 16, 1, 9, 9, "thin"), id=2)
    assert (gap.id, gap.guid, gap.seq, gap.temperature) == (2, "a", 2, None)
    assert (gap.state, gap.boot) == ("CA", "b")
