import subprocess
import sys

HEAVY = {"pyspark", "kafka", "confluent_kafka", "msgspec", "duckdb", "pyarrow"}

ONLY_WITH_THEIR_PROBES = {"gpiozero", "colorzero", "smbus2", "lgpio"}

IMPORT_ALL = """
import importlib, pkgutil, sys, edge_agent
for module in pkgutil.walk_packages(edge_agent.__path__, "edge_agent."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""

SERVICE = """
import sys
import edge_agent.commands, edge_agent.service, edge_agent.probes.drivers.simulated
print(*{name.partition(".")[0] for name in sys.modules})
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


def test_a_device_without_tls_loads_none_of_it() -> None:
    assert not _modules(SERVICE) & {"ssl", "_ssl", "paho", "http", "email"}
