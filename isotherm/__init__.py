"""What every program shares."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""Which isotherm this is; pyproject.toml takes it from here."""
