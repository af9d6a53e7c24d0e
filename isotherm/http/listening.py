"""A socket that listens, and what keeps it from that."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from isotherm.http.request_check import is_address

if TYPE_CHECKING:
    from isotherm.settings.address import Address

_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.ENETUNREACH, errno.ENODEV})


def listener(address: Address, *, backlog: int) -> socket.socket:
    """Listen at an address; a name is looked up, which may take seconds.

    Args:
        address: port 0 takes a free one.
        backlog: connections that the kernel keeps until they are accepted.

    Raises:
        OSError: it is not available: nobody has it yet (before DHCP), another process has it, ...
    """
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, place = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        # What an earlier life left in TIME_WAIT does not count; two that listen still do.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(backlog)
    except BaseException:
        opened.close()
        raise
    return opened


def is_quick(address: Address) -> bool:
    """Whether `listener` needs to ask nobody."""
    return address.host == "localhost" or is_address(address.host)


def why(error: OSError) -> str:
    """What keeps it from listening."""
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno) if error.errno else str(error)


def is_absent(error: OSError) -> bool:
    """Whether the machine has no such address: not yet, such as before DHCP or a name server."""
    return isinstance(error, socket.gaierror) or error.errno in _ABSENT
