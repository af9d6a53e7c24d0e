import subprocess
import sys
from pathlib import Path

import pytest

import aggregator
from aggregator.cli.main import main

JOB = Path(aggregator.__file__).parent / "job.py"


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["isotherm-aggregator", "submit", "--kafka", "k:1"])
    assert main() == 2
    error = capsys.readouterr().err
    assert error.startswith("isotherm-aggregator: job.checkpoint is not set: is required.")
    assert error.count("\n") == 1


def test_an_unknown_flag_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["isotherm-aggregator", "submit", "--kafak", "k:1"])
    assert main() == 2
    assert "--kafak" in capsys.readouterr().err


def test_missing_packages_name_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    for module in ("aggregator.cli.commands", "aggregator.stream.submit"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert main() == 3
    assert capsys.readouterr().err.endswith("pip install 'isotherm[aggregator]'\n")


def test_the_job_runs_as_a_file_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, JOB, "--help"], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert "--available-now" in done.stdout
