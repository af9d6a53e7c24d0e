import subprocess
import sys
from pathlib import Path

import pytest

AGENT = (sys.executable, "-m", "edge_agent")


def _agent(*words: str, timeout: float = 20.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AGENT, *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def test_simulate_writes_so_many_lines_and_the_seed_decides_them() -> None:
    first, second = _agent("simulate", "50"), _agent("simulate", "50", "--seed", "1")
    assert (first.returncode, first.stderr) == (0, "")
    assert len(first.stdout.splitlines()) == 50
    assert first.stdout != second.stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        [*AGENT, "simulate", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_the_printed_sample_is_fine(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(_agent("sample-config").stdout, encoding="utf-8")
    done = _agent("check-config", "--config", str(config))
    assert done.returncode == 0
    assert f"{config} is fine: 1 probe, to mqtt://127.0.0.1:1883" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    (
        (("run",), 2, "--config is not set: name a file"),
        (("check-config", "--config", "/nowhere.toml"), 2, "cannot be read: No such file"),
        (("simulate", "5", "--seed", "x"), 2, "--seed = 'x': write a whole number"),
        (("simulate", "5", "--start", "9999-12-31T23:59:59Z", "--rate", "1"), 2, "--start ="),
        (("replay", "/nowhere", "--mqtt", "mqtt://127.0.0.1"), 2, "/nowhere cannot be read"),
        (("replay", "-", "--mqtt", "mqtts://h", "--cert-file", "c"), 2, "set mqtt.key_file too"),
        (("replay", "-", "--mqtt", "mqtt://127.0.0.1:1", "--give-up", "100ms"), 3, "gave up after"),
    ),
)
def test_an_error_is_a_sentence_and_a_code(
    words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = _agent(*words)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("package", "words"),
    (("click", ("simulate", "1")),),
)
def test_a_missing_package_prints_what_to_type(package: str, words: tuple[str, ...]) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = {words!r}\n"
        "from edge_agent.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 3
    assert "pip install 'isotherm[agent]'" in done.stderr


def test_an_agent_that_cannot_connect_at_all_leaves_the_outbox_as_it_was(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        f'[device]\nid = "d"\nstate = "CA"\n[outbox]\npath = "{tmp_path / "outbox.db"}"\n'
        '[mqtt]\nusername = "u"\npassword_file = "/nowhere"\n'
        '[[probe]]\nguid = "g"\ndriver = "simulated"\n',
        encoding="utf-8",
    )
    done = _agent("run", "--config", str(config))
    assert done.returncode == 2
    assert "mqtt.password_file = '/nowhere': cannot be read" in done.stderr
    assert list(tmp_path.iterdir()) == [config]
