"""What can go wrong in the dashboard.

DashboardError
├── TokenError    the token's file cannot be read, or another address than loopback has none
└── AddressError  the address to listen on is not available
"""

from __future__ import annotations

from isotherm.errors import EXIT_USAGE, IsothermError


class DashboardError(IsothermError):
    """The root of this program's errors."""


class TokenError(DashboardError):
    """There is no token where one is needed."""

    exit_code = EXIT_USAGE


class AddressError(DashboardError):
    """Another process has the address, or it is not of this machine."""

    exit_code = EXIT_USAGE
