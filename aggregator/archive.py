"""What Spark's workers need of ours, as one zip: `contract` and the modules that sum up."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_PARTS: Final = (
    "contract/*.py",
    "aggregator/__init__.py",
    "aggregator/stream/workers/columnar.py",
    "aggregator/stream/workers/grouping.py",
    "aggregator/stream/workers/partial_sums.py",
    "aggregator/stream/workers/rejects.py",
)


def write_archive(path: Path) -> None:
    """Write the zip for `SparkContext.addPyFile`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for pattern in _PARTS:
            for file in sorted(_ROOT.glob(pattern)):
                archive.write(file, file.relative_to(_ROOT))
