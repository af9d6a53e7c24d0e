import io

from contract.fields import Clock
from contract.log import start_logging
from contract.reading import Reading
from contract.verdict import decode
from edge_agent.degrees import celsius, fahrenheit
from edge_agent.probe import Fault
from edge_agent.sampler import Place, Sampler, new_epoch

NOW = 1_479_302_799_447_974_000


class _Script:
    """A probe that gives what it is told to."""

    def __init__(self, *found: float | Fault) -> None:
        self._found = list(found)

    def read(self) -> float | Fault:
        return self._found.pop(0)


def _sampler(*probes: _Script) -> tuple[Sampler, io.StringIO]:
    stream = io.StringIO()
    places = [
        Place(probe=probe, guid=f"g{number}", state="CA") for number, probe in enumerate(probes)
    ]
    log = start_logging("agent", stream=stream)
    sampler = Sampler(places, destination="d", epoch="0123456789abcdef", log=log, clock=lambda: NOW)
    return sampler, stream


def test_a_reading_says_all_about_itself() -> None:
    sampler, _ = _sampler(_Script(15.0))
    (raw,) = sampler.sample([0])
    reading = decode(raw)
    assert reading.origin is not None
    assert reading == Reading(
        guid="g0",
        destination="d",
        state="CA",
        event_time=NOW,
        temperature=59.0,
        origin=type(reading.origin)(epoch="0123456789abcdef", seq=1, clock=Clock.SYNCED),
    )


def test_each_probe_counts_for_itself() -> None:
    sampler, _ = _sampler(_Script(1.0, 1.0, 1.0), _Script(1.0))
    raws = sampler.sample([0]) + sampler.sample([0, 1]) + sampler.sample([0])
    origins = [(reading.guid, reading.origin) for reading in map(decode, raws)]
    seqs = [(guid, origin.seq) for guid, origin in origins if origin]
    assert seqs == [("g0", 1), ("g0", 2), ("g1", 1), ("g0", 3)]


def test_a_fault_is_told_twice_counted_each_time_and_is_no_reading() -> None:
    sampler, stream = _sampler(_Script(1.0, Fault.CRC, Fault.CRC, 1_000.0, 2.0))
    raws = [raw for _ in range(5) for raw in sampler.sample([0])]
    assert [reading.origin.seq for reading in map(decode, raws) if reading.origin] == [1, 2]
    assert sampler.faults == 3
    told = stream.getvalue()
    assert told.count("fault=crc") == 1
    assert told.count("fault=range") == 1
    assert told.count("well again") == 1


def test_a_tenth_of_a_degree_survives_the_way_through_celsius() -> None:
    for tenths in range(-1_500, 3_101):
        assert fahrenheit(celsius(tenths / 10)) == tenths / 10


def test_epochs_differ() -> None:
    assert new_epoch() != new_epoch()
