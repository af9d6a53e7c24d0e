"""What Spark's workers need of ours, as one zip: the contract, the measures and `workers`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_PARTS: Final = (
    "isotherm/__init__.py",
    "isotherm/errors.py",
    "isotherm/contract/*.py",
    "aggregator/__init__.py",
    "aggregator/analytics/__init__.py",
    "aggregator/analytics/measures.py",
    "aggregator/stream/__init__.py",
    "aggregator/stream/workers/*.py",
)


def write_archive(path: Path) -> None:
    """Write the zip for `SparkContext.addPyFile`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for pattern in _PARTS:
            for file in sorted(_ROOT.glob(pattern)):
                archive.write(file, file.relative_to(_ROOT))
