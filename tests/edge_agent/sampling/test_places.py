import io
import select
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.probes.mocks import MockHardware
from edge_agent.probes.registry import driver, driver_names
from edge_agent.probes.scan import scan
from edge_agent.sampling.places import places
from edge_agent.sampling.sampler import Sampler
from edge_agent.settings.agent import AgentSettings, load_agent
from isotherm.log import start_logging
from tests.edge_agent.support.fake_sys import WELL, FakeSys, hang, let_go

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 10.0


def test_every_driver_becomes_a_place(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor()
    tree.zone(0)
    (tmp_path / "class/spidev/spidev0.0").mkdir(parents=True)
    # The keys that a driver needs are those that it finds; nobody can find a file.
    keys: dict[str, Mapping[str, Any]] = {"file": {"path": "x"}}
    keys |= {one.driver: one.candidate.keys for one in scan(tmp_path, [1], MockHardware())[0]}
    probes = [
        {"guid": name, "driver": name, "state": "FL", **keys.get(name, {})}
        for name in driver_names()
    ]
    device = {"id": "porch", "hardware": "mock", "sysfs": str(tmp_path)}
    found = places(load_agent({"device": device, "probe": probes}))
    assert [place.guid for place in found] == list(driver_names())
    assert {place.state for place in found} == {"FL"}
    stuck = {place.guid: place.stuck_after for place in found}
    assert (stuck["bme280"], stuck["w1"]) == (60, 0)
    assert all(place.blocks is driver(place.guid).blocks for place in found)
    assert [place.guid for place in found if not place.blocks] == ["simulated"]


def test_a_sensor_that_hangs_in_the_kernel_delays_no_other(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    addresses = [f"28-00000000000{number}" for number in range(5)]
    slaves = [tree.sensor(address) for address in addresses]
    hang(slaves[2])
    probes = [{"guid": one, "driver": "w1", "address": one} for one in addresses]
    device = {"id": "porch", "state": "CA", "sysfs": str(tmp_path)}
    now = 0.0
    sampler = Sampler(
        places(load_agent({"device": device, "probe": probes})),
        log=start_logging("agent", stream=io.StringIO()),
        clock=lambda: 1,
        uptime=lambda: 1,
        monotonic=lambda: now,
    )
    others = {*addresses} - {addresses[2]}
    for tick in range(1, 4):
        sampler.start(range(5))
        while any(sampler.status()[guid].readings < tick for guid in others):
            assert select.select([sampler.fileno()], [], [], PATIENCE)[0]
            sampler.collect()
        now += 5.0
        sampler.collect()
    status = sampler.status()[addresses[2]]
    assert (status.fault, status.readings, sum(status.faults.values())) == ("timeout", 0, 3)
    # It hangs no more, so that its next read gives a temperature again.
    let_go(slaves[2], WELL.encode())
    select.select([sampler.fileno()], [], [], PATIENCE)
    sampler.collect()
    slaves[2].unlink()
    slaves[2].write_text(WELL, encoding="ascii")
    sampler.start([2])
    assert select.select([sampler.fileno()], [], [], PATIENCE)[0]
    assert [sample.guid for sample in sampler.collect()] == [addresses[2]]
    sampler.close()


def _settings(*guids: str, state: str = "CA", **more: int) -> AgentSettings:
    probes = [{"guid": guid, "driver": "simulated", **more} for guid in guids]
    return load_agent({"device": {"id": "d", "state": state}, "probe": probes})


def test_a_probe_that_did_not_change_stays_open() -> None:
    before = places(_settings("a", "b"))
    after = places(_settings("b", "c"), before)
    assert after[0] is before[1]
    assert after[1].guid == "c"


def test_one_that_changed_or_moved_is_opened_anew() -> None:
    before = places(_settings("a"))
    assert places(_settings("a", seed=7), before)[0] is not before[0]
    moved = places(_settings("a", state="NY"), before)[0]
    assert moved is not before[0]
    assert moved.state == "NY"
