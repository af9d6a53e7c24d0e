import pytest

from edge_agent.probes.driver import read_once
from edge_agent.probes.drivers.i2c.tmp117 import MockTmp117, Tmp117Probe, temperature
from edge_agent.probes.fault import Fault
from edge_agent.probes.mocks import MockI2c
from isotherm.errors import SettingsError
from tests.edge_agent.probes.opened import open_probe


@pytest.mark.parametrize(
    ("raw", "found"),
    (
        # Table 7-1 of the data sheet.
        (0x8000, Fault.RESET),
        (0xF380, -25.0),
        (0xFFF0, -0.125),
        (0xFFFF, -0.0078125),
        (0x0000, 0.0),
        (0x0001, 0.0078125),
        (0x0080, 1.0),
        (0x0C80, 25.0),
        (0x3200, 100.0),
        (0x7FFF, Fault.RANGE),
        # The ends of what it can measure, and one step more.
        (0x4B00, 150.0),
        (0x4B01, Fault.RANGE),
        (0xE480, -55.0),
        (0xE47F, Fault.RANGE),
    ),
)
def test_a_word_is_a_temperature_or_a_fault(raw: int, found: float | Fault) -> None:
    assert temperature(raw) == found


def _read(chip: MockTmp117, address: int = 0x48) -> tuple[float | Fault, str]:
    return read_once(Tmp117Probe(MockI2c({address: chip}), address, lambda _: None))


@pytest.mark.parametrize("celsius", (-54.9, -0.01, 0.0, 21.37, 149.9))
@pytest.mark.parametrize("revision", (0x0000, 0x1000, 0xF000))
def test_a_chip_of_any_revision_gives_what_it_measures(celsius: float, revision: int) -> None:
    found, _ = _read(MockTmp117(lambda: celsius, 0x0117 | revision))
    assert found == pytest.approx(celsius, abs=0.004)


def test_each_read_is_a_conversion_of_its_own_and_leaves_the_alert_pin_as_it_was() -> None:
    degrees = iter((20.0, 21.0))
    chip = MockTmp117(lambda: next(degrees))
    chip.words[0x01] |= 0x001C
    assert [_read(chip)[0], _read(chip)[0]] == [20.0, 21.0]
    # Shutdown, 8 averages, the alert pin's three bits, and the flag cleared.
    assert chip.words[0x01] == 0x043C


@pytest.mark.parametrize("device", (0x0116, 0x0118, 0x0000, 0xFFFF))
def test_another_chip_is_left_as_it_is(device: int) -> None:
    chip = MockTmp117(lambda: 20.0, device)
    before = dict(chip.words)
    assert _read(chip, 0x4B) == (
        Fault.MISSING,
        f"the chip at 0x4b says id {device:#06x}: not a TMP117",
    )
    assert chip.words == before


def test_a_chip_that_has_just_been_switched_on_is_waited_for() -> None:
    chip = MockTmp117(lambda: 20.0)
    chip.words[0x01] |= 0x1000
    waits: list[float] = []

    def load(seconds: float) -> None:
        waits.append(seconds)
        chip.words[0x01] &= ~0x1000

    assert Tmp117Probe(MockI2c({0x48: chip}), 0x48, load).read() == 20.0
    assert waits == [0.002, 0.14]


def test_a_chip_whose_eeprom_stays_busy_is_a_fault_and_is_not_written_to() -> None:
    chip = MockTmp117(lambda: 20.0)
    chip.words[0x01] |= 0x1000
    assert _read(chip) == (Fault.TIMEOUT, "its EEPROM is being written")
    assert chip.words[0x01] == 0x1220


def test_a_chip_that_never_ends_a_conversion_is_a_fault_after_a_bounded_time() -> None:
    class Deaf(MockTmp117):
        def write(self, data: bytes) -> None:
            super().write(data[:1])

    waits: list[float] = []
    probe = Tmp117Probe(MockI2c({0x48: Deaf(lambda: 20.0)}), 0x48, waits.append)
    assert read_once(probe) == (Fault.TIMEOUT, "no conversion ended in 0.7 s")
    assert sum(waits) == pytest.approx(0.7)


def test_a_chip_that_lost_its_supply_during_the_conversion_is_no_reading() -> None:
    chip = MockTmp117(lambda: 20.0)

    def brownout(_seconds: float) -> None:
        # Ready, as it was, but the register has its power-on value again.
        chip.words[0x00] = 0x8000

    assert Tmp117Probe(MockI2c({0x48: chip}), 0x48, brownout).read() is Fault.RESET


@pytest.mark.parametrize("address", (0x48, "0x49", 0x4A, "0x4b"))
def test_it_is_opened_at_each_of_its_addresses(address: object) -> None:
    number = int(str(address), 0)
    probe = open_probe("tmp117", i2c={number: MockTmp117(lambda: 20.0)}, address=address)
    assert probe.read() == 20.0
    assert read_once(open_probe("tmp117", i2c={}, address=address)) == (
        Fault.MISSING,
        "Remote I/O error",
    )


def test_an_address_that_it_cannot_have_is_refused() -> None:
    with pytest.raises(SettingsError, match='write "0x48" or "0x49" or "0x4a" or "0x4b"'):
        open_probe("tmp117", address=0x4C)
