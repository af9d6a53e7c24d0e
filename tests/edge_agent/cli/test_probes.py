import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli.commands import agent
from edge_agent.settings.agent import load_agent
from tests.edge_agent.support.fake_sys import ADDRESS, FakeSys, hang, let_go

HEAD = '[device]\nid = "porch"\nstate = "CA"\n'


def _config(folder: Path, *probes: dict[str, Any], hardware: str = "mock") -> str:
    lines = [HEAD, f'sysfs = "{folder}"', f'hardware = "{hardware}"']
    for probe in probes:
        lines += ["[[probe]]", *(f"{key} = {value!r}" for key, value in probe.items())]
    file = folder / "agent.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def _run(*words: str) -> int:
    return int(agent.main(words, standalone_mode=False) or 0)


def test_read_shows_what_each_probe_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor()
    config = _config(
        tmp_path,
        {"guid": "porch", "driver": "w1", "address": ADDRESS},
        {"guid": "cellar", "driver": "bme280"},
        {"guid": "attic", "driver": "sht3x"},
        {"guid": "oven", "driver": "mcp3008", "sensor": "tmp36"},
        {"guid": "nowhere", "driver": "simulated"},
    )
    assert _run("read", "--config", config) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].split() == ["guid", "driver", "°C", "°F", "fault"]
    assert lines[1].split() == ["porch", "w1", "26.63", "79.93"]
    assert [line.split()[0] for line in lines[2:]] == ["cellar", "attic", "oven", "nowhere"]
    assert len({line.index(".") for line in lines[1:]}) == 1
    assert told.err == ""


def test_read_shows_faults_in_their_place_and_waits_for_nobody_beyond_its_timeout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = FakeSys(tmp_path)
    slave = tree.sensor()
    hang(slave)
    config = _config(
        tmp_path,
        {"guid": "a", "driver": "w1", "address": ADDRESS, "timeout": "100ms"},
        {"guid": "b", "driver": "thermal_zone"},
        {"guid": "c", "driver": "simulated"},
    )
    assert _run("read", "--config", config) == 1
    let_go(slave, b"x")
    told = capsys.readouterr()
    a, b, c = told.out.splitlines()[1:]
    assert a.split() == ["a", "w1", "-", "-", "timeout"]
    assert "missing: " in b
    assert b.endswith("thermal_zone0/temp: No such file or directory")
    assert len(c.split()) == 4
    assert told.err == ""


def test_probes_prints_what_agent_toml_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = FakeSys(tmp_path)
    tree.sensor()
    tree.zone(0)
    assert _run("probes", "--config", _config(tmp_path)) == 0
    settings = load_agent(tomllib.loads(HEAD + capsys.readouterr().out))
    numbers = range(1, len(settings.probes) + 1)
    assert [probe.guid for probe in settings.probes] == [f"porch-{number}" for number in numbers]
    assert {"bme280", "sht3x", "thermal_zone", "w1"} <= {probe.driver for probe in settings.probes}


def test_probes_shows_each_chip_of_the_mock_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The sensor behind a converter cannot be seen, so its table is a comment.
    assert _run("probes", "--config", _config(tmp_path)) == 0
    told = capsys.readouterr().out
    assert 'driver = "bme280"' in told
    assert '# driver = "mcp3008"' in told


def test_probes_needs_no_config_and_says_when_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOTHERM_AGENT_DEVICE_SYSFS", str(tmp_path))
    assert _run("probes") == 0
    assert capsys.readouterr().out.startswith("# no probe found; docs/probes.md")


@pytest.mark.parametrize(
    ("package", "probe", "extra"),
    (
        ("smbus2", {"driver": "bme280"}, "agent"),
        ("gpiozero", {"driver": "mcp3008", "sensor": "lm35"}, "agent"),
        ("lgpio", {"driver": "mcp3008", "sensor": "lm35"}, "spi"),
    ),
)
def test_a_missing_package_prints_what_to_type(
    tmp_path: Path, package: str, probe: dict[str, str], extra: str
) -> None:
    config = _config(tmp_path, {"guid": "g", **probe}, hardware="real")
    program = (
        f"import sys, importlib.machinery as m; sys.modules[{package!r}] = None\n"
        f"sys.argv[1:] = ['read', '--config', {config!r}]\n"
        "from edge_agent.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1, done.stderr
    assert f"{package} is not installed; type: pip install 'isotherm[{extra}]'" in done.stdout
    assert "Traceback" not in done.stderr
