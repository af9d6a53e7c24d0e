import contextlib
import os
import resource
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.probes.driver import Probe, read_once
from edge_agent.probes.drivers.files._file_age import FileAge
from edge_agent.probes.drivers.files._number_file import read_number
from edge_agent.probes.fault import Fault, ProbeError
from isotherm.errors import SettingsError
from tests.edge_agent.probes.opened import open_probe
from tests.edge_agent.support.fake_sys import FakeSys, unprivileged

CASES = Path(__file__).parent / "number_files"


@pytest.mark.parametrize(
    ("content", "found"),
    (
        (b"21.5\n", 21.5),
        (b" -3 \r\n", -3.0),
        (b"2.15e1\n", 21.5),
        (b"+0\n", 0.0),
        (b"21.5", 21.5),
        (b"\xef\xbb\xbf 7\n", 7.0),
        (b"-.75e1\n", -7.5),
    ),
)
def test_a_file_holds_a_number(tmp_path: Path, content: bytes, found: float) -> None:
    file = tmp_path / "number"
    file.write_bytes(content)
    assert read_number(file, lambda _: None) == found


@pytest.mark.parametrize(
    ("name", "found"),
    (
        ("bom", 21.5),
        ("no_leading_zero", 0.5),
        ("neg_no_leading_zero", -0.75),
        ("trailing_dot", 21.0),
        ("decimal_comma", "holds '21,5': write the number with a point, as 21.5"),
        ("degree", "holds '21.5°C': write one number and nothing else into it, such as 21.5"),
        ("unit_behind", "holds '21.5 C': write one number and nothing else into it, such as 21.5"),
    ),
)
def test_what_other_programs_write_is_a_number_or_is_said(name: str, found: float | str) -> None:
    file = CASES / name
    if isinstance(found, float):
        assert read_number(file, lambda _: None) == found
        return
    with pytest.raises(ProbeError) as caught:
        read_number(file, lambda _: None)
    assert (caught.value.fault, caught.value.why) == (Fault.CRC, f"{file} {found}")


@pytest.mark.parametrize(
    ("content", "why"),
    (
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"nan\n", "holds 'nan'"),
        (b"inf\n", "holds 'inf'"),
        (b".\n", "holds '.'"),
        (b"1_0\n", "holds '1_0'"),
        (b"1,234,5\n", "holds '1,234,5': write one"),
        (b"21.5\n22.5\n", r"holds '21.5\n22.5'"),
        (b"\xff\xfe2\x001\x00\n", "holds "),
        (b"1" * 100 + b"\n", "holds more than 64 bytes"),
        (b"1\n" * 1_000_000, "holds more than 64 bytes"),
    ),
)
def test_what_is_no_number_is_damaged_and_shown(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "number"
    file.write_bytes(content)
    with pytest.raises(ProbeError) as caught:
        read_number(file, lambda _: None)
    assert caught.value.fault is Fault.CRC
    assert caught.value.why.startswith(f"{file} {why}")


def test_half_a_number_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_bytes(b"2")
    assert read_number(file, lambda _: (file.write_bytes(b"21.5\n"), None)[1]) == 21.5
    file.write_bytes(b"2")
    with pytest.raises(ProbeError, match="changes while it is read"):
        read_number(file, lambda _: (file.write_bytes(b"21."), None)[1])


def test_what_is_no_file_neither_hangs_nor_fills_the_memory(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tree = FakeSys(tmp_path / "sys")
    for path, kind in ((pipe, "a named pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        fault, why = _read("file", tree, path=str(path))
        assert fault is Fault.MISSING
        assert f"{path} is no file but {kind}" in why


def test_a_board_without_descriptors_says_so_and_blames_no_sensor(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_bytes(b"1\n")
    tree = FakeSys(tmp_path / "sys")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    probe = _open("file", tree, path=str(file))
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 64, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        found = read_once(probe)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert found == (Fault.SYSTEM, f"{file}: Too many open files")
    assert read_once(probe) == (1.0, "")


class _Aged:
    """A file whose age is judged by clocks that the test moves."""

    def __init__(self, folder: Path, most: float) -> None:
        self.path = folder / "aged"
        self.wall = time.time()
        self.uptime = 100.0
        self._age = FileAge(self.path, most, wall=lambda: self.wall, monotonic=lambda: self.uptime)

    def write(self, ago: float = 0.0) -> None:
        self.path.write_text("1\n", encoding="ascii")
        os.utime(self.path, (self.wall - ago, self.wall - ago))

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds

    def read(self) -> str:
        try:
            return str(read_number(self.path, age=self._age))
        except ProbeError as error:
            why = error.why.removeprefix(f"{self.path} was written ").partition(",")[0]
            return why if error.fault is Fault.STALE else str(error)


def test_a_value_that_nobody_writes_anew_grows_stale(tmp_path: Path) -> None:
    file = _Aged(tmp_path, 3600)
    file.write(ago=30 * 86_400)
    assert file.read() == "30 days ago"
    file.write()
    assert file.read() == "1.0"
    file.go(3_601)
    assert file.read() == "60 min ago"
    file.write()
    assert file.read() == "1.0"


def test_a_clock_that_steps_makes_no_file_stale_or_new(tmp_path: Path) -> None:
    file = _Aged(tmp_path, 3600)
    file.write()
    assert file.read() == "1.0"
    file.go(60)
    file.write()
    assert file.read() == "1.0"
    # The clock was the last shutdown's; now it is right.
    file.wall += 30 * 86_400
    assert file.read() == "1.0"
    # And back: the file comes from the future, and still it grows old.
    file.wall -= 60 * 86_400
    file.go(3_601)
    assert file.read() == "60 min ago"


def test_a_file_from_the_future_is_as_old_as_we_have_known_it(tmp_path: Path) -> None:
    file = _Aged(tmp_path, 3600)
    file.write(ago=-86_400)
    assert file.read() == "1.0"
    file.go(7_200)
    assert file.read() == "2 h ago"


def test_files_of_the_kernel_are_always_new() -> None:
    file = Path("/proc/sys/kernel/pid_max")
    age = FileAge(file, 1.0, wall=lambda: time.time() + 1e9)
    assert read_number(file, age=age) > 0


def test_the_age_of_a_file_is_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_bytes(b"1\n")
    os.utime(file, (0, 0))
    tree = FakeSys(tmp_path / "sys")
    assert _read("file", tree, path=str(file))[0] is Fault.STALE
    assert _read("file", tree, path=str(file), max_age=False) == (1.0, "")
    with pytest.raises(SettingsError, match=r"max_age = 7: write a time span .*, or false"):
        _read("file", tree, path=str(file), max_age=7)


def _open(name: str, tree: FakeSys, **keys: Any) -> Probe:
    return open_probe(name, sysfs=tree.root, **keys)


def _read(name: str, tree: FakeSys, **keys: Any) -> tuple[float | Fault, str]:
    return read_once(_open(name, tree, **keys))


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
    probe = _open("file", FakeSys(tmp_path / "sys"), path=str(file))
    with unprivileged():
        fault, why = read_once(probe)
    assert (fault, why) == (Fault.MISSING, f"{file}: Permission denied")


def test_a_unit_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unit = 'K': write one of: C, F, mC"):
        _read("file", FakeSys(tmp_path), path="x", unit="K")
