"""The registry of drivers, and "to add a probe": one file, and everything knows it."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_agent
from docs import write
from edge_agent.cli.commands import agent
from edge_agent.doctor.probes import check_probes
from edge_agent.probes import registry
from edge_agent.probes.bus import Site
from edge_agent.probes.drivers import i2c
from edge_agent.probes.mocks import MockHardware
from edge_agent.probes.registry import driver, driver_names
from edge_agent.sampling.places import places
from edge_agent.sampling.read_all import read_all
from edge_agent.settings.agent import load_agent
from edge_agent.settings.sample import sample_config
from isotherm.errors import SettingsError

DRIVER = '''
from dataclasses import dataclass

from isotherm.settings.table import setting, whole
from edge_agent.probes.driver import Driver, I2cMock
from edge_agent.probes.drivers.i2c._chip import (
    I2cSettings,
    address_setting,
    find_chips,
    open_chip,
)


@dataclass(frozen=True, kw_only=True)
class StoveSettings(I2cSettings):
    """A stove with an I2C plug."""

    address: int = address_setting(0x10, 0x11)
    plates: int = setting("plates", whole(1, 6), default=4, help="How many it has.")


class StoveProbe:
    def __init__(self, bus, address):
        self._bus = bus
        self._address = address

    def read(self):
        return float(self._bus.exchange(self._address, b"t", 1)[0])


class MockStove:
    def __init__(self, celsius):
        self._celsius = celsius

    def write(self, data):
        assert data == b"t"

    def read(self, count):
        return bytes([round(self._celsius())] * count)


DRIVER = Driver(
    settings=StoveSettings,
    open=open_chip(StoveProbe),
    find=find_chips("stove", StoveProbe, (0x10, 0x11)),
    mock=I2cMock(0x10, MockStove),
)
'''


@pytest.fixture
def stove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one more driver on I2C, in one file."""
    file = tmp_path / "stove.py"
    file.write_text(DRIVER, encoding="utf-8")
    monkeypatch.setattr(i2c, "__path__", [*i2c.__path__, str(tmp_path)])
    registry.find_modules.cache_clear()
    yield file
    sys.modules.pop(f"{i2c.__name__}.stove", None)
    registry.find_modules.cache_clear()


@pytest.mark.usefixtures("stove")
def test_adding_a_driver_is_adding_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "stove" in driver_names()
    device = {"id": "x", "state": "CA", "hardware": "mock", "sysfs": str(tmp_path / "sys")}
    # The settings take its keys, and refuse what is no value of one.
    table = {"guid": "g", "driver": "stove", "plates": 2}
    settings = load_agent({"device": device, "probe": [table]})
    with pytest.raises(SettingsError, match=r"probe\[1\].plates = 7"):
        load_agent({"device": device, "probe": [table | {"plates": 7}]})
    # The mock board has its chip, and the agent reads it.
    celsius = places(settings)[0].probe.read()
    assert isinstance(celsius, float)
    assert 18.0 <= celsius <= 22.0
    # So does the doctor.
    samples, status = read_all(places(settings))
    temperatures = {sample.guid: sample.temperature for sample in samples}
    (finding,) = check_probes({"g": "stove"}, temperatures, status)
    assert "g (stove): " in str(finding)
    # `isotherm-agent probes` finds it.
    config = tmp_path / "agent.toml"
    config.write_text("[device]\n" + "\n".join(f'{key} = "{device[key]}"' for key in device))
    agent.main(["probes", "--config", str(config)], standalone_mode=False)
    found = capsys.readouterr().out
    assert re.search(r"# stove on I2C bus 1 at 0x10: it gives \d+\.0 °C\n\[\[probe\]\]\n", found)
    assert 'driver = "stove"\nbus = 1\naddress = "0x10"\n' in found
    # The sample has its keys as comments, and the page of probes a row and its table of keys.
    assert '# driver = "stove"\n# stuck_after = 60\n# bus = 1\n' in sample_config()
    assert "# plates = 4\n" in sample_config()
    begin, end = "<!-- keys of stove: written by docs/write.py -->\n", "<!-- end of keys -->\n"
    page = write.probes((write.DOCS / "probes.md").read_text("utf-8") + f"## stove\n{begin}{end}")
    assert "| [`stove`](#stove) | A stove with an I2C plug. | yes | I2C 0x10 |" in page
    assert "| `plates` | `4` | How many it has. |" in page.partition("## stove")[2]


@pytest.mark.usefixtures("stove")
def test_a_driver_that_fails_to_look_hides_no_other(stove: Path) -> None:
    broken = DRIVER.replace('find_chips("stove", StoveProbe, (0x10, 0x11))', "lambda board: 1 / 0")
    stove.write_text(broken, encoding="utf-8")
    from edge_agent.probes.scan import scan  # noqa: PLC0415 the driver was written just now

    found, notes = scan(stove.parent, [1], MockHardware())
    assert notes == ["cannot look for stove: ZeroDivisionError: division by zero"]
    assert {"bme280", "sht3x"} <= {one.driver for one in found}


@pytest.mark.usefixtures("stove")
@pytest.mark.parametrize(
    ("mock", "taken"),
    (("I2cMock(0x76", "I2C 0x76"), ("I2cMock(0x44", "I2C 0x44"), ("SpiMock(0", "SPI 0")),
)
def test_two_chips_cannot_have_one_place_on_the_mock_board(
    stove: Path, mock: str, taken: str
) -> None:
    driver_text = DRIVER.replace("I2cMock(0x10", mock).replace(
        "import Driver,", "import SpiMock, Driver,"
    )
    stove.write_text(driver_text, encoding="utf-8")
    with pytest.raises(RuntimeError, match=f"two drivers have a mock at {taken}"):
        MockHardware()


def test_what_else_is_left_in_the_folder_is_no_driver(stove: Path) -> None:
    for name in (".#stove.py", "stove (copy).py", "_stove.py", "stove.py.orig"):
        (stove.parent / name).write_text("1 / 0\n", encoding="utf-8")
    (stove.parent / ".cache").mkdir()
    stove.rename(stove.with_name("oven.pyc"))
    names = driver_names()
    assert "oven" in names
    assert not [name for name in names if "stove" in name or "cache" in name]


def test_two_drivers_cannot_have_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w1.py").write_text(DRIVER, encoding="utf-8")
    monkeypatch.setattr(i2c, "__path__", [*i2c.__path__, str(tmp_path)])
    registry.find_modules.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="are both the driver w1"):
            driver_names()
    finally:
        registry.find_modules.cache_clear()


def test_every_driver_opens_on_the_mock_board_and_says_what_it_is() -> None:
    assert {"bme280", "file", "mcp3008", "sht3x", "simulated", "thermal_zone", "w1"} <= {
        *driver_names()
    }
    for name in driver_names():
        assert driver(name).settings.__doc__
    site = Site(state="CA", hardware=MockHardware())
    for name in driver_names():
        if driver(name).mock is not None:
            assert driver(name).find is not None, f"{name} has a mock, but nothing finds it"
    assert site.hardware.i2c(1) is site.hardware.i2c(2)


def test_no_other_module_names_a_driver() -> None:
    """What another module would have to say about a driver belongs into the driver's file."""
    root = Path(edge_agent.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    # These are words of their own.
    for name in {*driver_names()} - {"file", "simulated"}:
        (own,) = root.glob(f"probes/drivers/**/{name}.py")
        word = re.compile(rf"\b{name}\b")
        naming = {path for path, text in sources.items() if word.search(text)} - {own}
        # What a folder's drivers share may say for whom.
        others = {path for path in naming if path.parent != own.parent or path.name[0] != "_"}
        assert not others, f"{name} is named by {others}"


def test_drivers_are_known_where_the_program_is_packed_into_a_zip_file(tmp_path: Path) -> None:
    packed = tmp_path / "agent.zip"
    root = Path(edge_agent.__file__).parents[1]
    with zipfile.ZipFile(packed, "w") as file:
        for path in [*root.glob("isotherm/**/*.py"), *root.glob("edge_agent/**/*.py")]:
            file.write(path, path.relative_to(root))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from edge_agent.probes import registry\n"
        "assert registry.__file__.startswith(sys.argv[1])\n"
        "print(*registry.driver_names(), registry.driver('w1').settings.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(packed)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [*driver_names(), "W1Settings"]
