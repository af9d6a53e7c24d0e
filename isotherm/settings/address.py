"""Where a service listens: `scheme://[username@]host:port[/path]`, or `host:port`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from isotherm.settings.parsers import text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_HOST_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[^\s:/?#@\[\]]+))(?::(?P<port>[0-9]{1,5}))?"
)
_HOST_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PATH: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
"""RFC 3986, section 3.3; no query, which may hold a secret."""
_MAX_PORT: Final = 65_535
_PLAIN: Final = re.compile("[!-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """One service's address.

    Attributes:
        scheme: such as ``mqtt``; empty where the address is written ``host:port``.
        host: a name, an IPv4 or an IPv6 address (without brackets).
        port: 1 to 65535.
        username: who connects, where the address says so; a password never stands in an address.
        path: of a WebSocket, with its slash; empty where the address has none.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        place = f"{host}:{self.port}{self.path}"
        return f"{self.scheme}://{user}{place}" if self.scheme else place


def parse_address(
    text: str, schemes: Mapping[str, int], *, with_path: Collection[str] = ()
) -> Address:
    """Read ``scheme://[username@]host[:port][/path]``.

    Args:
        text: the address.
        schemes: the schemes that are understood, with the port that each takes by default.
        with_path: those of them whose addresses may have a path.

    Raises:
        ValueError: says what to write instead; never repeats a password.
    """
    form = f"write it like {next(iter(schemes))}://HOST:PORT"
    scheme, separator, _ = text.partition("://")
    if not separator or scheme not in schemes:
        raise ValueError(f"{form} (known: {', '.join(f'{name}://' for name in schemes)})")
    rest, path = text.partition("://")[2], ""
    if scheme in with_path:
        rest, slash, path = rest.partition("/")
        path = slash + path
        if not _PATH.fullmatch(path):
            raise ValueError("a path has letters, digits and -._~!$&'()*+,;=:@%/ alone")
    user, _, place = rest.rpartition("@")
    if ":" in user:
        raise ValueError("a password does not belong in an address; put it into a file")
    place = place.removesuffix("/")
    if set(place) & set("/?#"):
        raise ValueError(f"nothing may follow the port; {form}")
    return Address(scheme, *_host_port(place, schemes[scheme]), unquote(user) or None, path)


def parse_host_port(text: str, default_port: int | None = None) -> Address:
    """Read ``host:port``, or ``host`` where there is a default port.

    Raises:
        ValueError: says what to write instead.
    """
    return Address("", *_host_port(text, default_port))


def listen_address(value: Any) -> Address:
    """Parser: where to listen, HOST:PORT."""
    return parse_host_port(text(value))


def host_names(value: Any) -> str:
    """Parser: names of hosts without ports, with commas between them."""
    names = [name.strip().lower() for name in text(value).split(",")]
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("write names of hosts, without ports, with commas between them")
    return ",".join(names)


def http_server(value: Any) -> str:
    """Parser: the address of an HTTP server, without a path."""
    address = text(value).rstrip("/")
    parts = _http_parts(address)
    if parts is None or parts.path or parts.query or parts.username:
        raise ValueError("write it like http://HOST:PORT")
    return address


def http_receiver(value: Any) -> str:
    """Parser: the address of an HTTP receiver, which may have a path."""
    address = text(value)
    parts = _http_parts(address)
    if parts is None or parts.username:
        raise ValueError(
            "write it like https://HOST/PATH, without a user in it, in printable ASCII characters "
            "without spaces (others as %XX, names of hosts as xn--...)"
        )
    return address


def _http_parts(address: str) -> SplitResult | None:
    """The parts of an address that can be asked for as it is written; None for another."""
    # http.client raises on the rest only when it asks, and quotes the path, often a secret.
    if not _PLAIN.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.fragment:
        return None
    return parts


def _host_port(text: str, default_port: int | None) -> tuple[str, int]:
    found = _HOST_PORT.fullmatch(text)
    if found is None or (found["port"] is None and default_port is None):
        raise ValueError("write it like HOST:PORT, with a port from 1 to 65535")
    port = default_port if found["port"] is None else int(found["port"])
    if port is None or not 0 < port <= _MAX_PORT:
        raise ValueError("a port is a number from 1 to 65535")
    return found["v6"] or found["name"].lower(), port
