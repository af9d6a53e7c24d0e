"""`python -m deploy.local.missing`: the Debian packages that are not there yet, one a line.

Needs nothing but Python, so that scripts can ask before anything is installed.
"""

from __future__ import annotations

import importlib.util

from deploy.errors import MissingPartError
from deploy.local.java import PACKAGE as JAVA_PACKAGE
from deploy.local.java import find_java
from deploy.local.mosquitto import PACKAGE as MOSQUITTO_PACKAGE
from deploy.local.mosquitto import find_mosquitto


def missing_packages() -> list[str]:
    """The names of the packages that must be installed."""
    needed = ((JAVA_PACKAGE, find_java), (MOSQUITTO_PACKAGE, find_mosquitto))
    found = []
    # Debian ships Python without it; the virtual environment needs it.
    if importlib.util.find_spec("ensurepip") is None:
        found.append("python3-venv")
    for package, find in needed:
        try:
            find()
        except MissingPartError:
            found.append(package)
    return found


if __name__ == "__main__":
    print("\n".join(missing_packages()))
