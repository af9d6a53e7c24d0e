from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"pyspark", "kafka", "confluent_kafka", "msgspec", "duckdb", "pyarrow"}

ONLY_WITH_THEIR_PROBES = {"gpiozero", "colorzero", "smbus2", "lgpio"}

IMPORT_ALL = """
import importlib, pkgutil, sys, edge_agent
for module in pkgutil.walk_packages(edge_agent.__path__, "edge_agent."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""

COMMANDS = """
import sys
import edge_agent.cli.commands, edge_agent.service.service, edge_agent.probes.drivers.simulated
print(*{name.partition(".")[0] for name in sys.modules})
"""

SERVICE = """
import sys
from edge_agent import cli
from edge_agent.service import service
from edge_agent.mqtt import client
service.Service.run = lambda _: print(*{name.partition(".")[0] for name in sys.modules})
sys.argv[1:] = ["run", "--config", "{config}"]
cli.main()
"""


def _modules(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_whole_agent_stays_light() -> None:
    modules = _modules(IMPORT_ALL)
    assert "edge_agent" in modules
    assert not modules & (HEAVY | ONLY_WITH_THEIR_PROBES)
    assert not modules & {"bridge", "aggregator", "deploy"}


def test_a_command_without_a_broker_loads_no_client_of_one() -> None:
    assert not _modules(COMMANDS) & {"ssl", "_ssl", "paho", "http", "email"}


def test_the_running_agent_holds_no_command_line(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        '[device]\nid = "d"\nstate = "CA"\n[[probe]]\nguid = "g"\ndriver = "simulated"\n'
    )
    modules = _modules(SERVICE.replace("{config}", str(config)))
    assert "paho" in modules
    assert not modules & {"click", "difflib", "asyncio", "unittest"}
