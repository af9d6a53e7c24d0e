"""A checkpoint whose last file a power cut has emptied: mended where that is provably right.

Spark writes its files beside and renames them, but does not wait for the disk: after a power cut
the name may be there with nothing, or only zeros, in it. Spark ends with a stack trace then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from aggregator.errors import CheckpointError
from aggregator.kafka.checkpoint import REMEDY, last_number
from isotherm.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from isotherm.log import Log

_COMMIT: Final = b'v1\n{"nextBatchWatermarkMs":0}'
"""What Spark writes for a query without a watermark of its own: the same for every batch."""

_MOST: Final = 1 << 20


def mend(folder: Path, counted: Callable[[], int | None], log: Log) -> None:
    """Look at the last files, and mend what is empty.

    Args:
        folder: the checkpoint; nothing happens where there is none.
        counted: the last batch that the ledger holds, -1 before the first; None without a ledger.
        log: a line for each file that was mended.

    Raises:
        CheckpointError: one is empty, and what stood in it is not known.
    """
    try:
        _commit(folder, counted, log)
        _offsets(folder, counted, log)
        metadata = folder / "metadata"
        if last_number(folder / "offsets") is None and _empty(metadata):
            _remove(metadata, log, "the query had not begun")
    except OSError as error:
        raise CheckpointError(f"the checkpoint {folder} cannot be mended: {error}") from error


def torn(folder: Path) -> Path | None:
    """A last file that is empty; None where all is well."""
    for name in ("offsets", "commits"):
        number = last_number(folder / name)
        if number is not None and _empty(file := folder / name / str(number)):
            return file
    return None


def keep(folder: Path, batch_id: int) -> None:
    """Wait until the disk has what Spark noted of a batch, before anybody counts it.

    So the ledger never holds a batch of which nobody knows which records it had.
    """
    for path in (folder / "offsets" / str(batch_id), folder / "offsets"):
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _commit(folder: Path, counted: Callable[[], int | None], log: Log) -> None:
    number = last_number(folder / "commits")
    if number is None or not _empty(file := folder / "commits" / str(number)):
        return
    held, begun = counted(), last_number(folder / "offsets")
    if held is None or held >= number:
        # Spark begins with this file only when we are done with the batch.
        _crc(file).unlink(missing_ok=True)
        write_whole(file, _COMMIT)
        log.warning("an empty file of the checkpoint was mended", file=str(file), how="written")
    elif held == number - 1 and begun == number:
        _remove(file, log, "the batch is counted again")
    else:
        raise _unknown(file)


def _offsets(folder: Path, counted: Callable[[], int | None], log: Log) -> None:
    number = last_number(folder / "offsets")
    if number is None or not _empty(file := folder / "offsets" / str(number)):
        return
    held, committed = counted(), last_number(folder / "commits")
    if held is not None and number in (held, committed):
        raise _unknown(file)
    if number == committed:
        # Without a ledger a batch that comes again, with what came since, is the same batch.
        _remove(folder / "commits" / str(number), log, "the batch is counted again")
    _remove(file, log, "the batch begins anew")


def _empty(file: Path) -> bool:
    try:
        return file.stat().st_size < _MOST and not file.read_bytes().strip(b"\0")
    except FileNotFoundError:
        return False


def _remove(file: Path, log: Log, how: str) -> None:
    _crc(file).unlink(missing_ok=True)
    file.unlink()
    log.warning("an empty file of the checkpoint was taken away", file=str(file), how=how)


def _crc(file: Path) -> Path:
    """Hadoop's checksum of a file; without one it does not check."""
    return file.with_name(f".{file.name}.crc")


def _unknown(file: Path) -> CheckpointError:
    return CheckpointError(
        f"{file} is empty, as after a power cut, and what stood in it is not known: {REMEDY}"
    )
