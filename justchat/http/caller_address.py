"""Where the caller of a request is: the address without a port, the scheme, and whether it is this very machine.

Worked out once a request, before anything else looks at it, and kept with the request.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from quart import g, request

from justchat.limiting.addresses import Proxies, is_loopback

# What proxies add; only whether one is there matters, since anybody can write anything into them.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


def note_caller(proxies: Proxies) -> None:
    """Work out where the caller of this request is."""
    # Not `remote_addr`, which is a header among the others that came.
    peer = str((request.scope.get("client") or ("", 0))[0])
    forwarded_for = request.headers.getlist("X-Forwarded-For")
    g.caller_address = proxies.caller(peer, ",".join(forwarded_for) if forwarded_for else None)
    g.caller_scheme = proxies.scheme(peer, request.headers.get("X-Forwarded-Proto"))
    g.caller_is_local = is_loopback(peer) and _is_called_local() and not proxies.trusts(peer) and not _is_forwarded()


def caller_address() -> str:
    """Give the caller's address, without a port."""
    return str(g.caller_address)


def caller_scheme() -> str | None:
    """Give the scheme that the caller speaks, if a trusted proxy told it."""
    scheme: str | None = g.caller_scheme
    return scheme


def caller_is_local() -> bool:
    """Tell whether the caller is on this very machine; behind a proxy nobody is."""
    return bool(g.caller_is_local)


def _is_called_local() -> bool:
    """Tell whether the request is for a name of this very machine.

    A page from elsewhere whose name was made to lead here (DNS rebinding) comes from this machine's browser, under its
    own name.
    """
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def _is_forwarded() -> bool:
    """Tell whether a proxy on this machine passed the request on for a caller who may be anywhere."""
    return any(name.lower() in _FORWARDED for name, _ in request.headers)
