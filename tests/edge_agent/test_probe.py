from pathlib import Path

import pytest

from edge_agent import probes
from edge_agent.place import places
from edge_agent.probe import driver, driver_names
from edge_agent.sample_config import sample_config
from edge_agent.settings import load_agent

DRIVER = """
from dataclasses import dataclass
from isotherm.settings.table import setting, whole
from edge_agent.probe import Driver, ProbeSettings

@dataclass(frozen=True, kw_only=True)
class Settings(ProbeSettings):
    hot: int = setting("hot", whole(0, 100), default=7, help="Degrees Celsius.")

class Probe:
    def __init__(self, hot):
        self._hot = hot

    def read(self):
        return float(self._hot)

DRIVER = Driver(settings=Settings, open=lambda settings, site: Probe(settings.hot))
"""


def test_adding_a_driver_is_adding_one_file_and_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stove.py").write_text(DRIVER, encoding="utf-8")
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(tmp_path)])
    monkeypatch.setattr(probes, "NAMES", (*probes.NAMES, "stove"))
    assert "stove" in driver_names()
    table = {"guid": "g", "driver": "stove", "hot": 90}
    settings = load_agent({"device": {"id": "x", "state": "CA"}, "probe": [table]})
    assert places(settings)[0].probe.read() == 90.0
    assert '# driver = "stove"\n# hot = 7\n' in sample_config()


def test_the_registry_names_all_of_the_folder() -> None:
    files = {path.stem for path in Path(probes.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(driver_names()) == files
    for name in driver_names():
        assert driver(name).settings


def test_drivers_are_known_to_a_user_who_may_not_look_into_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "__path__", [])
    assert "w1" in driver_names()
