"""Where a service listens: `scheme://[username@]host:port`, or `host:port`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Address:
    """One service's address.

    Attributes:
        scheme: such as ``mqtt``; empty where the address is written ``host:port``.
        host: a name, an IPv4 or an IPv6 address (without brackets).
        port: 1 to 65535.
        username: who connects, where the address says so; a password never stands in an address.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.username}@" if self.username else ""
        return f"{self.scheme}://{user}{host}:{self.port}" if self.scheme else f"{host}:{self.port}"


def parse_address(text: str, schemes: Mapping[str, int]) -> Address:
    """Read ``scheme://[username@]host[:port]``.

    Args:
        text: the address.
        schemes: the schemes that are understood, with the port that each takes by default.

    Raises:
        ValueError: says what to write instead; never repeats a password.
    """
    form = f"write it like {next(iter(schemes))}://HOST:PORT"
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in schemes:
        raise ValueError(f"{form} (known: {', '.join(f'{name}://' for name in schemes)})")
    parts = urlsplit(text)
    if parts.password is not None:
        raise ValueError("a password does not belong in an address; put it into a file")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"nothing may follow the port; {form}")
    username = unquote(parts.username) if parts.username else None
    return Address(scheme, *_host_port(parts.netloc.rpartition("@")[2], schemes[scheme]), username)


def parse_host_port(text: str, default_port: int | None = None) -> Address:
    """Read ``host:port``, or ``host`` where there is a default port.

    Raises:
        ValueError: says what to write instead.
    """
    return Address("", *_host_port(text, default_port))


def _host_port(text: str, default_port: int | None) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError as error:
        raise ValueError("write it like HOST:PORT, with a port from 1 to 65535") from error
    port = port if port is not None else default_port
    if not parts.hostname or port is None or parts.path or parts.query or parts.fragment:
        raise ValueError("write it like HOST:PORT")
    if port == 0:
        raise ValueError("a port is a number from 1 to 65535")
    return parts.hostname, port
