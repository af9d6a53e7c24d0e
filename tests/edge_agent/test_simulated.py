from itertools import pairwise

from contract.settings import load
from contract.states import MEAN_TEMPERATURE
from edge_agent.degrees import fahrenheit
from edge_agent.fault import Fault
from edge_agent.probe import Probe, driver, driver_names


def _probe(guid: str = "g", seed: int | None = 1) -> Probe:
    chosen = driver("simulated")
    given = {"guid": guid, "driver": "simulated", "state": "FL"}
    settings = load(chosen.settings, "", file=given, flags={"seed": seed})
    return chosen.open(settings, "FL")


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


def test_the_registry_is_the_folder() -> None:
    assert "simulated" in driver_names()
    for name in driver_names():
        assert driver(name).settings
