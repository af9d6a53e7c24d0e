"""`python -m deploy.local.services.packages [dev]`: Debian packages that are missing, one a line.

With `dev` those that only the tests need, too.

Needs nothing but Python, so that scripts can ask before anything is installed.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import Final

from deploy.errors import MissingPartError
from deploy.local.services.java import PACKAGE as JAVA_PACKAGE
from deploy.local.services.java import find_java
from deploy.local.services.mosquitto import PACKAGE as MOSQUITTO_PACKAGE
from deploy.local.services.mosquitto import find_mosquitto

FOR_TESTS: Final = {"chromium": "chromium", "chromium-driver": "chromedriver"}
"""Package and program: the tests of the page look at it in a real browser."""


def missing_packages(*, dev: bool = False) -> list[str]:
    """The names of the packages that must be installed; with `dev` for the tests, too."""
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
    if dev:
        found += [package for package, program in FOR_TESTS.items() if not shutil.which(program)]
    return found


if __name__ == "__main__":
    print("\n".join(missing_packages(dev=sys.argv[1:] == ["dev"])))
