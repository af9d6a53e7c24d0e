"""All drivers, found in the folders under `drivers/`.

A driver is known by its file alone: no list names it, so that adding one is adding a file.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import TYPE_CHECKING, Final

from edge_agent.probes import drivers
from isotherm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge_agent.probes.driver import Driver

SUFFIXES: Final = ("py", "pyc")
"""Of modules, also where the sources were left out."""


def driver_names() -> tuple[str, ...]:
    """All drivers, in alphabetical order."""
    return tuple(sorted(find_modules()))


def driver(name: object) -> Driver:
    """The driver of a name.

    Raises:
        SettingsError: there is none of that name.
    """
    module = find_modules().get(name) if isinstance(name, str) else None
    if module is None:
        fix = f"write one of the drivers: {', '.join(driver_names())}"
        raise SettingsError("driver", name, fix)
    found: Driver = importlib.import_module(module).DRIVER
    return found


@cache
def find_modules() -> dict[str, str]:
    """The module of each driver, by the driver's name; looked for once.

    Raises:
        RuntimeError: two folders have a driver of the same name.
    """
    found: dict[str, str] = {}
    for module in _walk(drivers.__name__, drivers.__path__):
        name = module.rpartition(".")[2]
        if found.setdefault(name, module) != module:
            raise RuntimeError(f"{found[name]} and {module} are both the driver {name}")
    return found


def _walk(package: str, paths: Iterable[str]) -> Iterator[str]:
    for name, is_folder in sorted(_inside(paths)):
        # A copy or a backup that somebody left there is no module.
        if name.startswith("_") or not name.isidentifier():
            continue
        module = f"{package}.{name}"
        if is_folder:
            yield from _walk(module, importlib.import_module(module).__path__)
        else:
            yield module


def _inside(paths: Iterable[str]) -> set[tuple[str, bool]]:
    """The modules of a package and the folders in it, each with whether it is a folder."""
    found: set[tuple[str, bool]] = set()
    for path in paths:
        try:
            # Not pkgutil: its import takes 80 kB, and a board has little memory.
            with os.scandir(path) as entries:
                for entry in entries:
                    name, dot, suffix = entry.name.rpartition(".")
                    if dot and suffix in SUFFIXES:
                        found.add((name, False))
                    elif entry.is_dir():
                        found.add((entry.name, True))
        except OSError:
            # The package is in a zip file; whoever may not list a folder cannot import from it.
            import pkgutil  # noqa: PLC0415 see above

            found.update((module.name, module.ispkg) for module in pkgutil.iter_modules([path]))
    return found
