"""The spark-submit entry: `spark-submit --packages … aggregator/job.py --kafka … …`."""

import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
# A job that runs as a file finds its own folder first in sys.path, where our modules would hide
# others of the same name; what it needs is the folder above.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _FOLDER]
sys.path.insert(0, str(_FOLDER.parent))

if __name__ == "__main__":
    from aggregator.cli.main import job

    sys.exit(job())
