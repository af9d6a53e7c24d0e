"""`python -m deploy.grafana`: write the dashboards' files from their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.grafana.dashboard import to_json
from deploy.grafana.fleet import FLEET
from deploy.grafana.pipeline import PIPELINE

FOLDER: Final = Path(__file__).parent / "dashboards"
DASHBOARDS: Final = (FLEET, PIPELINE)


def path(uid: str) -> Path:
    """The file of a dashboard."""
    return FOLDER / f"{uid}.json"


def main() -> None:
    """Write all of them."""
    for dashboard in DASHBOARDS:
        path(dashboard.uid).write_text(to_json(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
