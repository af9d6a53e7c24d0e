"""The scripts start modules that are there."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from tests.support import ROOT

STARTED = sorted(
    {
        (script.name, module)
        for script in (ROOT / "scripts").iterdir()
        for module in re.findall(r" -m ([a-z][\w.]+)", script.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("script", "module"), STARTED)
def test_what_a_script_starts_can_be_started(script: str, module: str) -> None:
    spec = find_spec(module)
    assert spec is not None, script
    if spec.submodule_search_locations is not None:
        assert find_spec(f"{module}.__main__") is not None, script


def test_all_benchmarks_are_among_them() -> None:
    started = {module for script, module in STARTED if script == "bench"}
    assert {"benchmarks.agent", "benchmarks.aggregator", "benchmarks.bridge"} < started
