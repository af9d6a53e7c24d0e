import tomllib
from pathlib import Path

from edge_agent.errors import MissingExtraError
from edge_agent.mocks import MockBme280, MockChip, MockHardware, MockSht3x
from edge_agent.settings.agent import load_agent
from edge_agent.site import I2c
from edge_agent.survey import Finding, i2c_buses, survey
from tests.edge_agent.support.fake_sys import ADDRESS, FakeSys

NOTHING = MockHardware({})


def _found(tree: FakeSys, hardware: MockHardware = NOTHING) -> list[Finding]:
    return survey(tree.root, i2c_buses(tree.root), hardware)[0]


def _i2c(tree: FakeSys, *numbers: int) -> None:
    for number in numbers:
        (tree.root / f"class/i2c-dev/i2c-{number}").mkdir(parents=True)


def test_a_board_without_anything_has_nothing(tmp_path: Path) -> None:
    assert survey(tmp_path / "none", [], NOTHING) == ([], [])
    assert _found(FakeSys(tmp_path)) == []


def test_1_wire_sensors_of_our_families_are_found(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    for address in (ADDRESS, "10-000000000001", "01-000000000002", "28-zz"):
        tree.sensor(address)
    (tree.devices / "w1_bus_master1").symlink_to(tree.master)
    assert [finding.keys for finding in _found(tree)] == [
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
    assert [finding.keys["zone"] for finding in found] == [0, 2, 10]
    assert [finding.about for finding in found][:2] == [
        "thermal zone: cpu-thermal",
        "thermal zone: no type",
    ]


def test_chips_are_found_where_they_answer(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    _i2c(tree, 1, 20)
    chips: dict[int, MockChip] = {
        0x76: MockBme280(lambda: 20.0, chip=0x61),
        0x77: MockBme280(lambda: 21.0),
        0x44: MockSht3x(lambda: 22.0),
    }
    found = _found(tree, MockHardware(chips))
    assert [(finding.driver, *finding.keys.values()) for finding in found] == [
        ("bme280", 1, "0x77"),
        ("sht3x", 1, "0x44"),
        ("bme280", 20, "0x77"),
        ("sht3x", 20, "0x44"),
    ]
    assert found[0].about == "bme280 on I2C bus 1 at 0x77: it gives 21.0 °C"


def test_a_bus_that_cannot_be_looked_at_is_a_note(tmp_path: Path) -> None:
    class Bare(MockHardware):
        def i2c(self, bus: int) -> I2c:
            raise MissingExtraError(f"smbus{bus}")

    found, notes = survey(tmp_path, [2], Bare())
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
    tables = [finding.table(f'my "{number}"') for number, finding in enumerate(found)]
    settings = load_agent(tomllib.loads('[device]\nid = "x"\nstate = "CA"\n' + "\n".join(tables)))
    assert [probe.driver for probe in settings.probes] == ["w1", "thermal_zone", "bme280", "sht3x"]
    assert settings.probes[0].guid == 'my "0"'
    # Nobody knows what is behind SPI, so that table waits for a person.
    assert found[4].driver == "mcp3008"
    assert all(line.startswith("#") for line in tables[4].splitlines())
    bare = tables[4].replace("# ", "").partition("\n")[2]
    assert load_agent(tomllib.loads('[device]\nid = "x"\nstate = "CA"\n' + bare)).probes
