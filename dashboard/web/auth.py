"""Who may look, and what a browser may do with the page: around the whole application."""

from __future__ import annotations

import hmac
import re
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from dashboard.errors import TokenError
from isotherm.http.request_check import host_name, is_foreign, is_link, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
"""https://www.w3.org/TR/CSP3/: nothing from elsewhere, nothing inline."""
HEADERS: Final = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
COOKIE: Final = "isotherm_token"
_OPEN: Final = "/healthz"
_SHORTEST: Final = 16
_TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/=-]{%d,}" % _SHORTEST)
"""What a Bearer token may have (RFC 6750, 2.1); a cookie takes all of it as it is."""


def read_token(path: Path) -> bytes:
    """The token in a file, without white space around it.

    Raises:
        TokenError: the file cannot be read, or what is in it is too short to keep anybody out.
    """
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise TokenError(
            f"--token-file {path}: {error.strerror}; write a secret into it"
        ) from error
    if not _TOKEN.fullmatch(token):
        raise TokenError(
            f"--token-file {path}: write {_SHORTEST} or more letters, digits or . _ ~ + / = - into "
            "it, such as those of: openssl rand -hex 24"
        )
    return token


class Guard:
    """Answers in place of the application where somebody may not look.

    Args:
        app: the application.
        token: what has to be known; None where everybody may look who reaches the address, which
            then is a loopback address. There the Host header has to name it, since a page of
            somebody else could have its own name point to this machine (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, token: bytes | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, guarded)
        else:
            status, more, text = refusal
            body = b'{"error": "%s"}' % text.encode()
            kind = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
            await guarded(
                {"type": "http.response.start", "status": status, "headers": [*kind, *more]}
            )
            await guarded({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Any, headers: Mapping[str, bytes]) -> Any:
        if scope["path"] == _OPEN:
            return None
        refusal = self._foreign(scope, headers)
        if refusal is not None or self._token is None:
            return refusal
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._same(asked.encode("latin-1", "replace")):
            cookie = b"%s=%s; HttpOnly; SameSite=Strict; Path=/" % (COOKIE.encode(), self._token)
            return HTTPStatus.SEE_OTHER, [(b"location", b"/"), (b"set-cookie", cookie)], "see /"
        if self._same(_bearer(headers)) or self._same(_cookie(headers)):
            return None
        return (
            HTTPStatus.UNAUTHORIZED,
            [(b"www-authenticate", b"Bearer")],
            "it wants its token: open /?token=... once, or send it as a Bearer token",
        )

    def _foreign(self, scope: Any, headers: Mapping[str, bytes]) -> Any:
        said = {name: value.decode("latin-1") for name, value in headers.items()}
        if self._token is None and not is_loopback(host_name(said.get("host", ""))):
            return HTTPStatus.MISDIRECTED_REQUEST, [], "ask for it by the name 127.0.0.1"
        # A link to the page itself is nobody's attack.
        if is_foreign(said) and not (scope["path"] == "/" and is_link(said)):
            return HTTPStatus.FORBIDDEN, [], "not for pages of other sites"
        return None

    def _same(self, given: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(given, self._token)


def _bearer(headers: Mapping[str, bytes]) -> bytes:
    scheme, _, token = headers.get("authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _cookie(headers: Mapping[str, bytes]) -> bytes:
    try:
        found = SimpleCookie(headers.get("cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return b""
    return b"" if found is None else found.value.encode("latin-1")
