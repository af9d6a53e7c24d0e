import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.probes.driver import Probe, read_once
from edge_agent.probes.drivers.one_wire._bulk import Bulk
from edge_agent.probes.drivers.one_wire.w1 import FAMILIES, temperature
from edge_agent.probes.fault import Fault
from tests.edge_agent.probes.opened import open_probe
from tests.edge_agent.support.fake_sys import ADDRESS, WELL, FakeSys, hang, let_go, unprivileged

PATIENCE = 10.0


def _text(scratchpad: str, verdict: str, millidegrees: int) -> bytes:
    crc = scratchpad.split()[8]
    return f"{scratchpad} : crc={crc} {verdict}\n{scratchpad} t={millidegrees}\n".encode()


def _probe(tree: FakeSys, address: str = ADDRESS) -> Probe:
    return open_probe("w1", sysfs=tree.root, address=address)


@pytest.mark.parametrize(
    ("family", "text", "found"),
    (
        ("28", WELL.encode(), 26.625),
        ("28", _text("5e ff 4b 46 7f ff 02 10 54", "YES", -10125), -10.125),
        ("28", _text("ff ff 4b 46 7f ff 01 10 9c", "YES", -62), -0.062),
        ("28", _text("00 00 4b 46 7f ff 10 10 ce", "YES", 0), 0.0),
        ("28", _text("d0 07 4b 46 7f ff 00 10 fd", "YES", 125000), 125.0),
        # 85 °C is the power-on value only together with byte 6 at 0x0C.
        ("28", _text("50 05 4b 46 7f ff 0c 10 1c", "YES", 85000), Fault.RESET),
        ("28", _text("50 05 4b 46 7f ff 10 10 6f", "YES", 85000), 85.0),
        ("10", _text("aa 00 4b 46 ff ff 0c 10 87", "YES", 85000), Fault.RESET),
        ("10", _text("32 00 4b 46 ff ff 02 10 a4", "YES", 25625), 25.625),
        ("28", _text("aa 01 4b 46 7f ff 06 10 00", "NO", 26625), Fault.CRC),
        ("28", _text("00 00 00 00 00 00 00 00 00", "YES", 0), Fault.CRC),
        ("28", _text("ff ff ff ff ff ff ff ff ff", "NO", -62), Fault.CRC),
        ("28", _text("ff 07 4b 46 7f ff 0c 10 b8", "YES", 127937), Fault.RANGE),
        ("28", _text("00 f0 4b 46 7f ff 10 10 00", "YES", -127000), Fault.RANGE),
        ("28", b"", Fault.MISSING),
        ("28", b"\n", Fault.CRC),
        ("28", b"\xff\xfe t=26625\n", Fault.CRC),
    ),
)
def test_what_the_kernel_says_is_a_temperature_or_a_fault(
    family: str, text: bytes, found: float | Fault
) -> None:
    assert temperature(text, family) == found


def test_no_part_of_a_file_is_a_temperature() -> None:
    text = WELL.encode()
    for length in range(1, len(text) - 1):
        assert temperature(text[:length], "28") is Fault.CRC
    assert temperature(text[:-1], "28") == 26.625


@given(
    st.binary(max_size=120) | st.text(max_size=120).map(str.encode), st.sampled_from([*FAMILIES])
)
def test_whatever_stands_there_is_a_temperature_in_range_or_a_fault(
    text: bytes, family: str
) -> None:
    found = temperature(text, family)
    assert isinstance(found, Fault) or -55 <= found <= 125


@given(st.integers(-880, 2_000))
def test_every_temperature_that_a_sensor_can_have_is_read(sixteenths: int) -> None:
    scratchpad = sixteenths.to_bytes(2, "little", signed=True) + bytes.fromhex("4b467fff0210")
    text = _text(f"{scratchpad.hex(' ')} 00", "YES", int(sixteenths * 1_000 / 16))
    for whole in (text, text[:-1]):
        found = temperature(whole, "28")
        assert not isinstance(found, Fault)
        assert abs(found - sixteenths / 16) < 0.001


def test_a_sensor_may_come_later_go_and_come_back(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    probe = _probe(tree)
    fault, why = read_once(probe)
    assert fault is Fault.MISSING
    assert f"{tree.devices / ADDRESS}: No such file" in why
    tree.sensor()
    assert read_once(probe) == (26.625, "")
    shutil.rmtree(tree.master / ADDRESS)
    assert read_once(probe)[0] is Fault.MISSING
    (tree.devices / ADDRESS).unlink()
    tree.sensor()
    assert read_once(probe) == (26.625, "")


def test_a_file_that_may_not_be_read_is_missing_and_says_why(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor().chmod(0)
    probe = _probe(tree)
    with unprivileged():
        fault, why = read_once(probe)
    assert (fault, why.endswith("Permission denied")) == (Fault.MISSING, True)


def test_a_plain_folder_is_as_good_as_a_link(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    folder = tree.devices / ADDRESS
    folder.mkdir()
    (folder / "w1_slave").write_text(WELL, encoding="ascii")
    assert read_once(_probe(tree)) == (26.625, "")


def test_sensors_of_one_bus_convert_together(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    trigger = tree.bulk()
    tree.sensor()
    tree.sensor("28-000000000001")
    assert read_once(_probe(tree)) == (26.625, "")
    assert trigger.read_bytes() == b"trigger\n"


def _triggers(folder: Path, callers: int) -> int:
    """How many conversions it takes to serve so many threads that ask at about the same time."""
    trigger = folder / "therm_bulk_read"
    hang(trigger)
    bus = Bulk(trigger)
    threads = [threading.Thread(target=bus.convert, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
        thread.join(0.01)
    # The first one waits in the kernel until now.
    served = b""
    with trigger.open("rb", buffering=0) as kernel:
        while any(thread.is_alive() for thread in threads):
            served += kernel.read(64)
            threads[-1].join(0.001)
        served += kernel.read(64)
    assert served == b"trigger\n" * (len(served) // 8)
    return len(served) // 8


def test_a_conversion_that_ends_after_one_asked_serves_it(tmp_path: Path) -> None:
    # A thread that the system let wait too long before it asked needs another one.
    assert 1 in (_triggers(tmp_path, 5) for _ in range(100))


def test_each_that_asks_later_is_served_anew(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    trigger = tree.bulk()
    bus = Bulk(trigger)
    for _ in range(2):
        trigger.write_bytes(b"")
        assert bus.convert()
        assert trigger.read_bytes() == b"trigger\n"


def test_a_bus_that_may_not_be_triggered_is_read_sensor_by_sensor(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor()
    Bulk(tmp_path / "none").convert()
    assert read_once(_probe(tree)) == (26.625, "")


def test_a_file_is_empty_while_another_probe_has_the_bus_convert(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    trigger, slave = tree.bulk(), tree.sensor()
    hang(trigger)
    hang(slave)
    found: list[tuple[float | Fault, str]] = []
    thread = threading.Thread(target=lambda: found.append(read_once(_probe(tree))), daemon=True)
    thread.start()
    assert trigger.read_bytes() == b"trigger\n"
    let_go(slave)
    # It has the old file open, and waits for the next conversion before it opens this one.
    slave.unlink()
    slave.write_text(WELL, encoding="ascii")
    assert trigger.read_bytes() == b"trigger\n"
    thread.join(PATIENCE)
    assert found == [(26.625, "")]


def test_a_bus_that_stays_silent_is_a_fault(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor(text=b"")
    assert read_once(_probe(tree)) == (Fault.MISSING, "")
    tree.bulk()
    assert read_once(_probe(tree)) == (Fault.MISSING, "")
