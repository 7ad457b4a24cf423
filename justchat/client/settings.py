"""The knobs of a client: every wait and every bound in one value, with defaults that suit a normal server."""

from __future__ import annotations

from msgspec import Struct


class ClientSettings(Struct, frozen=True, kw_only=True):
    """Waits are in seconds.

    `first_connection_seconds` bounds how long entering `open_client` may take over all attempts (None: for ever);
    `connect_seconds` bounds one attempt, up to the welcome. `silence_margin_seconds` is added to the server's heartbeat
    before silence counts as a dead connection. `answer_seconds` is the wait for the answer to a resubscription.

    `event_buffer` items wait for the application before the socket is no longer read; `pending_max` commands may be
    unanswered, further calls wait for a place within their own deadline.
    """

    first_connection_seconds: float | None = 30.0
    connect_seconds: float = 10.0
    write_seconds: float = 10.0
    answer_seconds: float = 10.0
    close_seconds: float = 1.0
    silence_margin_seconds: float = 10.0
    reconnect_base_seconds: float = 0.5
    reconnect_cap_seconds: float = 30.0
    reconnect_healthy_seconds: float = 30.0
    retry_base_seconds: float = 0.25
    retry_cap_seconds: float = 5.0
    event_buffer: int = 1024
    pending_max: int = 64
