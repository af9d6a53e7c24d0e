"""What the demo starts: the entries of the programs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from deploy.demo import pipeline

_ROOT = Path(__file__).parents[3]


def test_the_programs_are_started_by_the_entries_of_their_console_scripts() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = {script.removesuffix(":main") for script in project["scripts"].values()}
    source = Path(pipeline.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'"([\w.]+\.cli[\w.]*)"', source)) == entries
