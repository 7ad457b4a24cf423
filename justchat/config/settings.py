"""Every setting of the server, once: name, type, default, unit, accepted range and what it is for.

Flags, environment variables, file keys, error messages, `justchat config` and the reference in the docs are all derived
from the annotations below. A `Config` made by `load_config` has been checked; one made by hand (in tests) has not.
Nothing here imports Trio.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import fields

DEFAULT_DATABASE = "sqlite:///data/justchat.db"

# Never printed, and never taken from the command line, which every user of the machine can read.
SECRET_SETTINGS = frozenset({"signing_key", "operator_token"})
# Printed without the password that they may contain.
URL_SETTINGS = frozenset({"database", "journal", "smtp_url"})


def _range(low: float, high: float, unit: str, help_text: str) -> Meta:
    return Meta(ge=low, le=high, description=help_text, extra={"unit": unit})


def _text(help_text: str) -> Meta:
    return Meta(description=help_text)


class Config(Struct, frozen=True, kw_only=True):
    """The effective settings of one server process. Its `repr` shows no secrets."""

    # Where and how.
    profile: Annotated[
        Literal["development", "production", "loadtest"],
        _text("`production` refuses unsafe settings; `loadtest` lifts the rate limits unless they are set explicitly."),
    ] = "development"
    host: Annotated[str, _text("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, _range(0, 65_535, "", "Port to listen on; 0 takes a free one. `PORT` is honoured too.")] = 8000
    database: Annotated[
        str,
        _text(
            "Where everything is kept: `sqlite:///relative/path`, `sqlite:////absolute/path`, `postgres://…` or "
            "`memory://`. Its password is never printed."
        ),
    ] = DEFAULT_DATABASE
    journal: Annotated[
        str | None,
        _text("Where messages and events are kept if not in the database, which must be PostgreSQL: `mongodb://…`."),
    ] = None
    migrate: Annotated[
        Literal["yes", "no"],
        _text("Whether `serve` brings the schema up to date by itself; `no` refuses to start on an outdated one."),
    ] = "yes"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _text("Least severe level that is logged.")] = (
        "info"
    )
    log_format: Annotated[Literal["text", "json"], _text("One line per event, for people or for machines.")] = "text"

    # Who is calling.
    signing_key_file: Annotated[
        str | None,
        _text(
            "File with the keys that sign access tokens, readable by its owner only. Unset: `signing.key` beside the "
            "SQLite file, created on first start except in production. `justchat keys rotate` changes keys."
        ),
    ] = None
    signing_key: Annotated[
        str | None,
        _text(
            "The signing key itself, for platforms without files: a private key in PEM, or at least 32 bytes of text "
            "for HS256. Prefer `signing_key_file`."
        ),
    ] = None
    signing_algorithm: Annotated[
        Literal["EdDSA", "RS256", "HS256"],
        _text("Algorithm of keys that are made from now on. Tokens of the first two can be checked by others."),
    ] = "EdDSA"
    access_token_seconds: Annotated[int, _range(60, 86_400, "seconds", "Life of an access token.")] = 600
    session_idle_seconds: Annotated[
        int, _range(60, 31_536_000, "seconds", "Life of a session that is not continued by its refresh token.")
    ] = 1_209_600
    session_max_seconds: Annotated[
        int, _range(60, 315_360_000, "seconds", "Life of a session in any case; then one has to log in again.")
    ] = 5_184_000
    sessions_per_user: Annotated[
        int, _range(1, 10_000, "sessions", "Sessions one user may have; of more, the one used longest ago ends.")
    ] = 100
    ticket_seconds: Annotated[float, _range(1, 600, "seconds", "Life of a ticket, which opens one WebSocket.")] = 30.0
    registration: Annotated[
        Literal["open", "invite", "closed"],
        _text("Who may make an account: everybody, whoever has an invitation, or nobody but administrators."),
    ] = "open"
    registration_role: Annotated[
        Literal["user", "guest"], _text("Server role of a new account; guests only read public rooms.")
    ] = "user"
    cookie_secure: Annotated[
        Literal["yes", "no"],
        _text("Whether browsers send the refresh cookie over TLS only (to this very machine they always do)."),
    ] = "yes"
    token_issuer: Annotated[str, _text("`iss` of the tokens made here; tokens of another issuer are refused.")] = (
        "justchat"  # noqa: S105 - a name, not a secret
    )
    allowed_origins: Annotated[
        tuple[str, ...],
        _text("Browser origins that may call, such as `https://chat.example.org`. Empty: only pages served from here."),
    ] = ()
    bcrypt_cost: Annotated[int, _range(4, 16, "", "Work factor of password hashes; each step doubles the time.")] = 12
    login_failures: Annotated[
        int, _range(1, 10_000, "failures", "Failed logins per account and address before logins are refused.")
    ] = 10
    login_window_seconds: Annotated[
        float, _range(1, 86_400, "seconds", "How long a failed login counts against its account and address.")
    ] = 600.0
    operator_token: Annotated[
        str | None,
        _text("At least 16 bytes. Lets a remote caller read health details and metrics; loopback callers need none."),
    ] = None
    api_docs: Annotated[
        Literal["yes", "no"],
        _text("Whether `/docs`, `/openapi.json` and `/asyncapi.json` are served; they say nothing about this site."),
    ] = "yes"
    page: Annotated[
        Literal["yes", "no"],
        _text("Whether the chat page is served at `/`; a site with a client of its own does without."),
    ] = "yes"

    # How much one caller may ask for.
    trusted_proxies: Annotated[
        tuple[str, ...],
        _text("Addresses or networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`."),
    ] = ()
    address_rate: Annotated[
        float, _range(1, 1e9, "requests/min", "Requests one address may make without saying who calls.")
    ] = 100.0
    read_rate: Annotated[float, _range(1, 1e9, "requests/min", "Requests one user may make that only read.")] = 1200.0
    write_rate: Annotated[
        float, _range(1, 1e9, "requests/min", "Requests one user may make that change something.")
    ] = 600.0
    search_rate: Annotated[float, _range(1, 1e9, "requests/min", "Searches one user may make.")] = 120.0
    session_rate: Annotated[
        float, _range(1, 1e9, "requests/min", "Renewals, tickets and logouts of one user, from wherever they come.")
    ] = 60.0
    auth_rate: Annotated[
        float, _range(1, 1e9, "requests/min", "Logins, registrations and changes of a password from one address.")
    ] = 60.0
    user_command_rate: Annotated[
        float, _range(0.1, 1e9, "commands/s", "Commands one user may send over all their WebSockets, sustained.")
    ] = 20.0
    room_rate: Annotated[
        float, _range(1, 1e9, "commands/s", "Commands one room takes from all its members together, sustained.")
    ] = 1000.0
    sockets_per_address: Annotated[int, _range(1, 1_000_000, "sockets", "WebSockets one address may hold open.")] = 100
    arriving_per_address: Annotated[
        int, _range(1, 1_000_000, "sockets", "WebSockets of one address that have not said who they are.")
    ] = 20

    # Mail, for addresses to be verified.
    smtp_url: Annotated[
        str | None,
        _text("Where mail is handed in: `smtp://user:password@host:587` (STARTTLS) or `smtps://…`. Unset: no mail."),
    ] = None
    mail_from: Annotated[str, _text("Sender of that mail.")] = "justchat@localhost"

    # Sizes of what comes in.
    body_max_characters: Annotated[int, _range(1, 65_536, "characters", "Longest body of a message.")] = 4000
    avatar_max_bytes: Annotated[
        int, _range(1024, 16_777_216, "bytes", "Largest picture that a user may upload as their own.")
    ] = 2_097_152
    frame_max_bytes: Annotated[int, _range(1024, 65_536, "bytes", "Largest WebSocket message that is accepted.")] = (
        16_384
    )
    request_max_bytes: Annotated[
        int, _range(1024, 16_777_216, "bytes", "Largest body of an HTTP request (uploads have their own limit).")
    ] = 65_536
    history_page_default: Annotated[
        int, _range(1, 1000, "items", "Items on a page when the caller names no limit.")
    ] = 50
    history_page_max: Annotated[int, _range(1, 1000, "items", "Most items a caller may ask for on one page.")] = 100
    catch_up_page: Annotated[
        int, _range(10, 10_000, "entries", "Entries read at a time from the journal to serve a lagging connection.")
    ] = 300

    # Connections.
    max_connections: Annotated[
        int,
        _range(0, 1_000_000, "connections", "Open connections in all. 0: four fifths of the open files allowed."),
    ] = 0
    sockets_per_user: Annotated[int, _range(1, 100_000, "sockets", "WebSockets one user may hold open.")] = 10
    subscriptions_max: Annotated[int, _range(1, 100_000, "rooms", "Rooms one connection may be subscribed to.")] = 500
    outbox_items: Annotated[
        int, _range(8, 65_536, "frames", "Frames that may wait for one connection before it is served as lagging.")
    ] = 512
    outbox_bytes: Annotated[
        int,
        _range(65_536, 67_108_864, "bytes", "Bytes that may wait for one connection before it is served as lagging."),
    ] = 1_048_576
    command_rate: Annotated[
        float, _range(0.1, 1_000_000, "commands/s", "Commands one connection may send, sustained.")
    ] = 10.0
    command_burst: Annotated[
        int, _range(1, 1_000_000, "commands", "Commands one connection may send at once after a pause.")
    ] = 20
    heartbeat_seconds: Annotated[
        float, _range(1, 3600, "seconds", "Silence on a WebSocket after which the server pings.")
    ] = 25.0
    pong_seconds: Annotated[float, _range(1, 600, "seconds", "Wait for the pong before the WebSocket is closed.")] = (
        10.0
    )
    hello_seconds: Annotated[
        float, _range(0.1, 600, "seconds", "Wait for the caller to say who it is on a new WebSocket.")
    ] = 5.0
    stall_seconds: Annotated[
        float, _range(1, 3600, "seconds", "No progress in reading after which a lagging connection is closed.")
    ] = 60.0
    send_seconds: Annotated[
        float, _range(0.1, 600, "seconds", "Deadline of one write to a socket that must not wait for ever.")
    ] = 10.0
    head_seconds: Annotated[
        float, _range(0.1, 600, "seconds", "Wait for the complete head of a request on a new connection.")
    ] = 5.0
    body_read_seconds: Annotated[float, _range(0.1, 3600, "seconds", "Wait for the complete body of a request.")] = 15.0
    keep_alive_seconds: Annotated[
        float, _range(0.1, 3600, "seconds", "Life of an idle HTTP connection between requests.")
    ] = 5.0
    drain_seconds: Annotated[
        float, _range(0, 3600, "seconds", "Time that a graceful stop gives to commits and connections in flight.")
    ] = 8.0

    # Rooms and supervision.
    room_inbox: Annotated[
        int, _range(1, 1_000_000, "commands", "Commands that may wait for one room before it refuses more.")
    ] = 1024
    room_batch: Annotated[int, _range(1, 10_000, "commands", "Commands one room decides and commits together.")] = 256
    room_idle_seconds: Annotated[
        float, _range(0.1, 86_400, "seconds", "Idle time without subscribers after which a room passivates.")
    ] = 600.0
    rooms_active_max: Annotated[int, _range(1, 1_000_000, "rooms", "Rooms active at once.")] = 20_000
    ring_entries: Annotated[
        int, _range(0, 65_536, "entries", "Newest entries an active room keeps encoded, to spare the store on resume.")
    ] = 1024
    ask_seconds: Annotated[
        float, _range(0.1, 600, "seconds", "Deadline of a question to an actor; every caller has an answer by then.")
    ] = 5.0
    restart_intensity: Annotated[
        int, _range(0, 1000, "restarts", "Restarts of one actor within the period before it is parked.")
    ] = 5
    restart_period_seconds: Annotated[
        float, _range(0.1, 86_400, "seconds", "Period that the restart intensity counts in.")
    ] = 30.0
    probe_seconds: Annotated[
        float, _range(0.1, 86_400, "seconds", "Time between half-open probes of a parked room.")
    ] = 30.0
    timekeeper_seconds: Annotated[
        float, _range(0.1, 3600, "seconds", "How often sleeping rooms with something due soon are looked for.")
    ] = 5.0
    lobby: Annotated[
        Literal["yes", "no"], _text("Whether there is a public room called Lobby, made when it is missing.")
    ] = "yes"
    storage_deadline_seconds: Annotated[float, _range(0.1, 600, "seconds", "Deadline of one call to the store.")] = 5.0

    def __repr__(self) -> str:
        shown = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name not in SECRET_SETTINGS)
        return f"Config({', '.join(f'{name}={value!r}' for name, value in shown)})"
