"""`python -m deploy.local up|down|status`."""

import sys

from isotherm.errors import EXIT_DEPENDENCY

try:
    from deploy.local.cli import main
except ImportError as missing:
    if missing.name != "click":
        raise
    sys.stderr.write("deploy.local needs click: pip install 'isotherm[all]'\n")
    sys.exit(EXIT_DEPENDENCY)

if __name__ == "__main__":
    main()
