from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsError
from contract.settings import load
from edge_agent.fault import Fault
from edge_agent.mocks import MockHardware
from edge_agent.number_file import read_number
from edge_agent.probe import driver
from edge_agent.reader import read_once
from edge_agent.site import Site
from tests.edge_agent.fake_sys import FakeSys, unprivileged


@pytest.mark.parametrize(
    ("content", "found"),
    (
        (b"21.5\n", 21.5),
        (b" -3 \r\n", -3.0),
        (b"2.15e1\n", 21.5),
        (b"+0\n", 0.0),
        (b"21.5", 21.5),
        (b"", Fault.CRC),
        (b"\n", Fault.CRC),
        (b"nan\n", Fault.CRC),
        (b"inf\n", Fault.CRC),
        (b"1_0\n", Fault.CRC),
        (b"21,5\n", Fault.CRC),
        (b"21.5 C\n", Fault.CRC),
        (b"21.5\n22.5\n", Fault.CRC),
        (b"\xff\xfe2\x001\x00\n", Fault.CRC),
        (b"1" * 100 + b"\n", Fault.CRC),
    ),
)
def test_a_file_holds_a_number_or_is_damaged(
    tmp_path: Path, content: bytes, found: float | Fault
) -> None:
    file = tmp_path / "number"
    file.write_bytes(content)
    assert read_number(file, lambda _: None) == found


def test_half_a_number_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_bytes(b"2")
    assert read_number(file, lambda _: (file.write_bytes(b"21.5\n"), None)[1]) == 21.5
    file.write_bytes(b"2")
    assert read_number(file, lambda _: (file.write_bytes(b"21."), None)[1]) is Fault.CRC


def _read(name: str, tree: FakeSys, **keys: Any) -> tuple[float | Fault, str]:
    chosen = driver(name)
    settings = load(chosen.settings, "", file={"guid": "g", "driver": name, **keys})
    site = Site(state="CA", hardware=MockHardware(), sysfs=tree.root)
    return read_once(chosen.open(settings, site))


def test_a_thermal_zone_speaks_millidegrees(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.zone(0)
    tree.zone(7, "-1500\n")
    assert _read("thermal_zone", tree) == (48.312, "")
    assert _read("thermal_zone", tree, zone=7) == (-1.5, "")
    fault, why = _read("thermal_zone", tree, zone=1)
    assert fault is Fault.MISSING
    assert why.endswith("thermal_zone1/temp: No such file or directory")


@pytest.mark.parametrize(("unit", "celsius"), (("C", 68.0), ("F", 20.0), ("mC", 0.068)))
def test_a_file_says_in_which_unit_it_speaks(tmp_path: Path, unit: str, celsius: float) -> None:
    file = tmp_path / "number"
    file.write_text("68\n", encoding="ascii")
    found, _ = _read("file", FakeSys(tmp_path / "sys"), path=str(file), unit=unit)
    assert found == pytest.approx(celsius)


def test_a_file_that_may_not_be_read_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.touch(0)
    tree = FakeSys(tmp_path / "sys")
    with unprivileged():
        fault, why = _read("file", tree, path=str(file))
    assert (fault, why) == (Fault.MISSING, f"{file}: Permission denied")


def test_a_unit_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unit = 'K': write one of: C, F, mC"):
        _read("file", FakeSys(tmp_path), path="x", unit="K")
