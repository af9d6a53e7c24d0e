"""The ledger's file, and the log beside it that DuckDB writes ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

_NEVER: Final = "1TB"
"""DuckDB reckons 16 KB for each (2,048 rows, column) in which a row has changed, so that at its
usual threshold, 16 MB, nearly every commit to a large ledger would write all of it anew."""

MOST_LOG: Final = 64 << 20
"""Bytes of the log with which the file is written anew. After a kill the log is read again, which
takes about as long as the triggers took that wrote it."""


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file to write; made where there is none."""
    return duckdb.connect(path, config={"checkpoint_threshold": _NEVER})


def fold(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Take a long log into the file; between two transactions."""
    log = path.with_name(f"{path.name}.wal")
    if log.exists() and log.stat().st_size > MOST_LOG:
        connection.execute("CHECKPOINT")
