"""Whether a request to a port of ours comes from who may ask: DNS rebinding and foreign web pages.

A port on loopback can be reached by every web page that a browser on the machine shows. Such a page
may have its own name point to 127.0.0.1, and is then of the same origin as the port (DNS
rebinding): the Host header gives it away. Or it asks across origins and cannot read the answer, but
makes work: Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/) and Origin give that away.
Programs that are no browsers send neither.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_OF_OURS = frozenset({"", "same-origin", "none"})
"""What Sec-Fetch-Site says of our own pages, of what a person typed, and where there is none."""


def host_name(header: str) -> str:
    """The name or address in a Host header, in lower case, without port and brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name = text.partition(":")[0] if text.count(":") < 2 else text  # noqa: PLR2004 an IPv6 address
    return name.removesuffix(".")


def is_address(name: str) -> bool:
    """Whether a name is an IP address, behind which nobody's name can be."""
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class HostNames:
    """By which names a port may be asked.

    All IP addresses, ``localhost``, the name at which it listens, and those that a person allowed.
    Where it listens beyond loopback also this machine's own name and names without a dot, such as
    those of containers: neither can be got in the public DNS.

    Args:
        listen: the host at which it listens.
        more: further names.
    """

    def __init__(self, listen: str, more: Collection[str] = ()) -> None:
        self._names = {"localhost", listen.lower(), *(name.lower() for name in more)} - {""}
        self._beyond = not is_loopback(listen)
        if self._beyond:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own.partition('.')[0]}.local"}

    def allow(self, header: str | None) -> bool:
        """Whether a request with this Host header may be answered; None is one without.

        Browsers always send one; HTTP/1.0 needs none.
        """
        if header is None:
            return True
        name = host_name(header)
        return (
            name in self._names
            or is_address(name)
            or (self._beyond and "." not in name and name != "")
        )


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a web page of somebody else asks, by the headers of a browser.

    Args:
        headers: by their names in lower case.
    """
    site = headers.get("sec-fetch-site", "")
    if site not in _OF_OURS:
        return True
    origin = headers.get("origin")
    if site or origin is None:
        return False
    # An old browser: `null` is a page without an origin, and not ours.
    return origin.partition("://")[2].lower() != headers.get("host", "").strip().lower()


def is_link(headers: Mapping[str, str]) -> bool:
    """Whether a browser follows a link for a tab of its own, rather than for a page's script."""
    return (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
