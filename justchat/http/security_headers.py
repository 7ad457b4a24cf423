"""Headers that take from a browser what an answer does not need: to be framed, sniffed, cached, or told to others.

Pages name their own Content-Security-Policy. Everything else is data and gets one that allows nothing, so that even an
answer that a browser were made to open as a page could load and run nothing.
"""

from __future__ import annotations

from typing import Final

from quart import Response

_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
# A year; whether hosts below this one speak TLS too is not for us to say.
_TRANSPORT: Final = "max-age=31536000"
_ALWAYS: Final = {
    "Content-Security-Policy": _DATA_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # What a route may have kept it says itself.
    "Cache-Control": "no-store",
}
_UNUSED: Final = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation"),
    *("gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
_OF_PAGES: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
}


def protect(response: Response, *, over_tls: bool) -> None:
    """Add what the answer does not say itself; `over_tls` means that the caller surely speaks TLS."""
    headers = dict(_ALWAYS)
    if response.mimetype == "text/html":
        headers |= _OF_PAGES
    if over_tls:
        headers["Strict-Transport-Security"] = _TRANSPORT
    for name, value in headers.items():
        response.headers.setdefault(name, value)
