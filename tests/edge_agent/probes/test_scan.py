import tomllib
from pathlib import Path

from edge_agent.errors import MissingExtraError
from edge_agent.probes.bus import I2c, I2cChip
from edge_agent.probes.drivers.i2c.bme280 import MockBme280
from edge_agent.probes.drivers.i2c.sht3x import MockSht3x
from edge_agent.probes.mocks import MockHardware
from edge_agent.probes.scan import Found, scan
from edge_agent.settings.agent import load_agent
from tests.edge_agent.support.fake_sys import ADDRESS, FakeSys

NOTHING = MockHardware({}, {})


def _found(tree: FakeSys, hardware: MockHardware = NOTHING) -> list[Found]:
    return scan(tree.root, None, hardware)[0]


def _i2c(tree: FakeSys, *numbers: int) -> None:
    for number in numbers:
        (tree.root / f"class/i2c-dev/i2c-{number}").mkdir(parents=True)


def test_a_board_without_anything_has_nothing(tmp_path: Path) -> None:
    assert scan(tmp_path / "none", None, NOTHING) == ([], [])
    assert _found(FakeSys(tmp_path)) == []


def test_1_wire_sensors_of_our_families_are_found(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    for address in (ADDRESS, "10-000000000001", "01-000000000002", "28-zz"):
        tree.sensor(address)
    (tree.devices / "w1_bus_master1").symlink_to(tree.master)
    assert [one.candidate.keys for one in _found(tree)] == [
        {"address": "28-0316a2791aff"},
        {"address": "10-000000000001"},
    ][::-1]


def test_thermal_zones_are_found_in_their_order(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    for number in (10, 2, 0):
        tree.zone(number)
    (tree.thermal / "cooling_device0").mkdir()
    (tree.thermal / "thermal_zone2/type").unlink()
    found = _found(tree)
    assert [one.candidate.keys["zone"] for one in found] == [0, 2, 10]
    assert [one.candidate.about for one in found][:2] == [
        "thermal zone: cpu-thermal",
        "thermal zone: no type",
    ]


def test_chips_are_found_where_they_answer(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    _i2c(tree, 1, 20)
    chips: dict[int, I2cChip] = {
        0x76: MockBme280(lambda: 20.0, chip=0x61),
        0x77: MockBme280(lambda: 21.0),
        0x44: MockSht3x(lambda: 22.0),
    }
    found = _found(tree, MockHardware(chips))
    assert [(one.driver, *one.candidate.keys.values()) for one in found] == [
        ("bme280", 1, "0x77"),
        ("bme280", 20, "0x77"),
        ("sht3x", 1, "0x44"),
        ("sht3x", 20, "0x44"),
    ]
    assert found[0].candidate.about == "bme280 on I2C bus 1 at 0x77: it gives 21.0 °C"


def test_a_bus_that_cannot_be_looked_at_is_a_note(tmp_path: Path) -> None:
    class Bare(MockHardware):
        def i2c(self, bus: int) -> I2c:
            raise MissingExtraError(f"smbus{bus}")

    found, notes = scan(tmp_path, [2], Bare())
    assert found == []
    assert notes == [
        "cannot look at /dev/i2c-2: smbus2 is not installed; type: pip install 'isotherm[agent]'"
    ]


def test_what_is_found_can_be_pasted(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor()
    tree.zone(0)
    _i2c(tree, 1)
    (tree.root / "class/spidev/spidev0.0").mkdir(parents=True)
    (tree.root / "class/spidev/spidev1.0").mkdir()
    found = _found(tree, MockHardware())
    tables = [one.table(f'my "{number}"') for number, one in enumerate(found)]
    settings = load_agent(tomllib.loads('[device]\nid = "x"\nstate = "CA"\n' + "\n".join(tables)))
    assert [probe.driver for probe in settings.probes] == [
        one.driver for one in found if one.candidate.sure
    ]
    assert {"bme280", "sht3x", "thermal_zone", "w1"} <= {one.driver for one in found}
    assert settings.probes[0].guid == 'my "0"'
    # Nobody knows what is behind SPI, so that table waits for a person, behind the others.
    table = tables[len(settings.probes)]
    assert found[len(settings.probes)].driver == "mcp3008"
    assert all(line.startswith("#") for line in table.splitlines())
    bare = table.replace("# ", "").partition("\n")[2]
    assert load_agent(tomllib.loads('[device]\nid = "x"\nstate = "CA"\n' + bare)).probes
