"""What the three doctors share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isotherm.doctor.disk import existing, filesystem, free_bytes, mib, sync_seconds
from isotherm.doctor.finding import Finding, fail, ok, tell, warn
from isotherm.doctor.secrets import check_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNTS = """\
21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
22 21 0:20 / /run rw - tmpfs tmpfs rw
23 21 0:50 / /mnt/my\\040share rw - nfs4 host:/x rw
24 23 0:51 / /mnt/my\\040share/inner rw - xfs /dev/sdb rw
25 21 0:52 / /run rw - ramfs none rw
"""


def test_each_finding_is_told_before_the_next_is_made() -> None:
    order = []

    def findings() -> Iterator[Finding]:
        for finding in (ok("a", "well"), warn("b", "odd"), fail("c", "bad")):
            order.append(f"made {finding.check}")
            yield finding

    assert tell(findings(), lambda finding: order.append(str(finding))) == 1
    assert order == [
        "made a",
        "ok   a             well",
        "made b",
        "warn b             odd",
        "made c",
        "fail c             bad",
    ]


def test_what_cannot_be_had_has_an_exit_code_of_its_own() -> None:
    shown: list[Finding] = []
    assert tell([fail("a", "bad"), fail("b", "away", dependency=True)], shown.append) == 3
    assert tell([warn("a", "odd")], shown.append) == 0
    assert len(shown) == 3


@pytest.mark.parametrize(
    ("path", "kind"),
    (
        ("/etc/x", "ext4"),
        ("/mnt/my share/a", "nfs4"),
        ("/mnt/my share/inner/a", "xfs"),
        ("/mnt/my share-not", "ext4"),
        ("/run/x", "ramfs"),
    ),
)
def test_a_path_lies_in_the_nearest_mount(tmp_path: Path, path: str, kind: str) -> None:
    assert filesystem(tmp_path.joinpath(path), MOUNTS) == kind


def test_where_the_root_is_no_mount_the_place_is_unknown_and_no_fault(tmp_path: Path) -> None:
    # So a chroot sees it: the kernel lists only what is mounted below.
    mounts = "".join(MOUNTS.splitlines(keepends=True)[1:])
    assert filesystem(tmp_path.joinpath("/etc/x"), mounts) is None
    assert filesystem(tmp_path.joinpath("/run/x"), mounts) == "ramfs"
    assert filesystem(tmp_path, "") is None
    assert filesystem(tmp_path, "no mount\n\n21 1 8:1 / / rw - \n") is None


def test_this_machine_s_own_mounts_can_be_read() -> None:
    assert filesystem(Path("/proc/self")) == "proc"


def test_a_place_that_is_not_there_yet_is_judged_by_the_folder_above(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_trying_an_fsync_leaves_nothing_behind(tmp_path: Path) -> None:
    assert sync_seconds(tmp_path) > 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="No such file"):
        sync_seconds(tmp_path / "none")


def test_sizes_are_for_people() -> None:
    assert [mib(64 << 20), mib(1536 << 20)] == ["64 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("mode", "said"),
    ((0o600, "ok"), (0o400, "ok"), (0o640, "warn"), (0o604, "warn")),
)
def test_a_secret_is_its_owner_s_alone(tmp_path: Path, mode: int, said: str) -> None:
    file = tmp_path / "password"
    file.write_text("hidden")
    os.chmod(file, mode)  # noqa: PTH101 as the person does
    (found,) = check_secrets({"mqtt.password_file": str(file), "mqtt.key_file": None})
    assert found.mark == said
    assert "hidden" not in found.sentence
    if said == "warn":
        assert f"chmod 600 {file}" in found.sentence


@pytest.mark.parametrize(("folder", "said"), (("mine", "ok"), ("other", "warn")))
def test_a_credential_of_systemd_is_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, said: str
) -> None:
    (tmp_path / folder).mkdir()
    file = tmp_path / folder / "password"
    file.write_text("hidden")
    # As its access list shows.
    file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "mine"))
    (found,) = check_secrets({"mqtt.password_file": str(file)})
    assert found.mark == said


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    (found,) = check_secrets({"mqtt.key_file": str(tmp_path / "none")})
    assert found.mark == "fail"
    assert "mqtt.key_file" in found.sentence
