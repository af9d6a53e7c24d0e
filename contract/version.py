"""Which isotherm this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version() -> str:
    """The installed package's version; ``unknown`` where the sources run uninstalled."""
    try:
        return version("isotherm")
    except PackageNotFoundError:
        return "unknown"
