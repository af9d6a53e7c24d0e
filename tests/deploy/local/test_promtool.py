"""Finding promtool, and fetching it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy.errors import FetchError, MissingPartError
from tests.support.promtool import cached, fetch_promtool, find_promtool

if TYPE_CHECKING:
    from pathlib import Path


def package(folder: Path) -> None:
    """A Debian package with a promtool, and with a script that would start something."""
    root = folder / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/promtool").write_text("#!/bin/sh\necho here\n")
    (root / "usr/bin/promtool").chmod(0o755)
    (root / "DEBIAN").mkdir()
    control = "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n <n@e.org>\nDescription: d\n"
    (root / "DEBIAN/control").write_text(control)
    (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\ntouch {folder}/started\n")
    (root / "DEBIAN/postinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", root, folder / "p.deb"], check=True, capture_output=True)


def test_an_installed_one_is_taken_and_else_the_fetched_one(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(MissingPartError, match=r"python -m tests\.support\.promtool"):
        find_promtool(environ)
    for path in (cached(environ), tmp_path / "bin/promtool"):
        path.parent.mkdir(parents=True)
        path.touch(0o755)
        assert find_promtool(environ) == str(path)


def test_a_fetched_package_is_unpacked_and_starts_nothing(tmp_path: Path) -> None:
    places: list[Path] = []

    def download(work: Path) -> None:
        places.append(work)
        package(work)

    fetch_promtool(tmp_path / "cache/promtool", download)
    assert subprocess.check_output([tmp_path / "cache/promtool"], text=True) == "here\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["promtool"]
    assert not (places[0] / "started").exists()


@pytest.mark.parametrize("release", ("promtool", "prometheus"))
def test_it_is_in_a_package_of_its_own_or_in_prometheus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    # Debian 13's prometheus has no promtool; Debian 12 has no package promtool.
    package(tmp_path)
    apt = tmp_path / "bin/apt-get"
    apt.parent.mkdir()
    apt.write_text(
        f"""#!/bin/sh
[ "$3" = {release} ] && exec cp {tmp_path}/p.deb .
echo "E: Unable to locate package $3" >&2
exit 100
"""
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(apt.parent), prepend=os.pathsep)
    fetch_promtool(tmp_path / "cache/promtool")
    assert subprocess.check_output([tmp_path / "cache/promtool"], text=True) == "here\n"


def test_a_package_without_it_is_named(tmp_path: Path) -> None:
    def download(work: Path) -> None:
        package(work)
        (work / "root/usr/bin/promtool").unlink()
        build = ["dpkg-deb", "--build", str(work / "root"), str(work / "p.deb")]
        subprocess.run(build, check=True, capture_output=True)

    with pytest.raises(FetchError, match=r"there is none in p\.deb"):
        fetch_promtool(tmp_path / "cache/promtool", download)


def test_what_cannot_be_fetched_is_said_with_the_fix(tmp_path: Path) -> None:
    def offline(_folder: Path) -> None:
        raise OSError("E: Unable to locate package prometheus")

    with pytest.raises(FetchError, match=r"Unable to locate.*apt-get update.*put promtool on PATH"):
        fetch_promtool(tmp_path / "promtool", offline)
    assert not list(tmp_path.iterdir())
