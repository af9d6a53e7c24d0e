import io

from contract.log import start_logging
from edge_agent.degrees import celsius, fahrenheit
from edge_agent.probe import Fault
from edge_agent.sample import Sample
from edge_agent.sampler import Place, Sampler

NOW = 1_479_302_799_447_974_000
UPTIME = 5_000_000_000


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
    sampler = Sampler(places, log=log, clock=lambda: NOW, uptime=lambda: UPTIME)
    return sampler, stream


def test_a_sample_says_all_about_itself() -> None:
    sampler, _ = _sampler(_Script(15.0), _Script(1.0))
    assert sampler.sample([0]) == [Sample("g0", "CA", 59.0, NOW, UPTIME)]


def test_a_fault_is_told_twice_counted_each_time_and_is_no_reading() -> None:
    sampler, stream = _sampler(_Script(1.0, Fault.CRC, Fault.CRC, 1_000.0, 2.0))
    samples = [sample for _ in range(5) for sample in sampler.sample([0])]
    assert [sample.temperature for sample in samples] == [33.8, 35.6]
    assert sampler.faults == 3
    told = stream.getvalue()
    assert told.count("fault=crc") == 1
    assert told.count("fault=range") == 1
    assert told.count("well again") == 1


def test_a_tenth_of_a_degree_survives_the_way_through_celsius() -> None:
    for tenths in range(-1_500, 3_101):
        assert fahrenheit(celsius(tenths / 10)) == tenths / 10
