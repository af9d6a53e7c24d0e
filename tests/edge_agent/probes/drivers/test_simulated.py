from itertools import pairwise

from edge_agent.probes.bus import Site
from edge_agent.probes.driver import Probe
from edge_agent.probes.fault import Fault
from edge_agent.probes.mocks import MockHardware
from edge_agent.probes.registry import driver
from edge_agent.probes.temperature import fahrenheit
from isotherm.contract.states import MEAN_TEMPERATURE
from isotherm.settings.table import load


def _probe(guid: str = "g", seed: int | None = 1, **mishaps: float) -> Probe:
    chosen = driver("simulated")
    given = {"guid": guid, "driver": "simulated", "state": "FL"}
    settings = load(chosen.settings, "", file=given | mishaps, flags={"seed": seed})
    return chosen.open(settings, Site(state="FL", hardware=MockHardware()))


def _read(probe: Probe, count: int) -> list[float]:
    found = [probe.read() for _ in range(count)]
    return [fahrenheit(celsius) for celsius in found if not isinstance(celsius, Fault)]


def test_it_walks_around_the_mean_of_its_state() -> None:
    temperatures = _read(_probe(), 1_000)
    assert len(temperatures) == 1_000
    assert abs(temperatures[0] - MEAN_TEMPERATURE["FL"]) <= 5.1
    assert all(abs(after - before) <= 1.0 + 1e-9 for before, after in pairwise(temperatures))


def test_a_seed_repeats_the_walk_of_a_guid_and_another_guid_walks_elsewhere() -> None:
    assert _read(_probe(), 50) == _read(_probe(), 50)
    assert _read(_probe(), 50) != _read(_probe("other"), 50)
    assert _read(_probe(seed=None), 50) != _read(_probe(seed=None), 50)


def test_what_goes_wrong_on_request_leaves_the_walk_as_it_was() -> None:
    well = _read(_probe(), 1_000)
    drifting = _read(_probe(drift=10.0), 1_000)
    assert drifting[0] == well[0]
    assert abs(drifting[999] - well[999] - 9.99) < 0.1
    spiking = _read(_probe(spikes=0.1), 1_000)
    far = [abs(a - b) for a, b in zip(well, spiking, strict=True) if a != b]
    assert 50 < len(far) < 200
    assert all(abs(distance - 40.0) < 0.01 for distance in far)
    stuck = _read(_probe(stuck_at=10), 100)
    assert stuck[:10] == well[:10]
    assert set(stuck[10:]) == {well[9]}
    dropping = _read(_probe(dropouts=0.25), 1_000)
    assert 600 < len(dropping) < 900
    assert dropping == well[: len(dropping)]
