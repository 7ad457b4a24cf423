"""logins: how long everybody else waits while passwords are checked.

One WebSocket asks `ping` over and over, first in peace and then while logins come at a steady pace. A password costs a
quarter of a second of a core on purpose; it may cost the event loop nothing. What the machine cannot check is refused.
"""

from __future__ import annotations

import time
from contextlib import closing

from msgspec import Struct

from bench.connection import Connection, Greeting, open_connections
from bench.logins import Logins
from bench.meter import Meter
from bench.percentile import percentile
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.target import PASSWORD, justchat_target
from bench.turns import turns

GOAL_MS = 50.0
"""A pong within this, for 99 of 100 pings, says that the loop was never held up."""
_PING = b'{"type":"ping","id":"p"}'


class LoginOptions(Struct, frozen=True):
    """`bcrypt_cost` is the work factor; `pause_ms` lies between two pings."""

    logins_per_second: float = 20.0
    bcrypt_cost: int = 12
    seconds: float = 15.0
    pause_ms: float = 10.0


def run_logins(options: LoginOptions, site: Site) -> Outcome:
    """Ping in peace, then beside logins. Raises ServerRefused."""
    site.steps.expect(3)
    site.steps.step("the server starts")
    with justchat_target(site.directory, "--bcrypt-cost", str(options.bcrypt_cost)) as target:
        username, token = target.register()
        with closing(_connected(target.process.port, token)) as connection:
            site.steps.step("pings in peace")
            peace = _pings(connection, target.process.pid, options, "no logins")
            logins = Logins(
                target.process.port, username=username, password=PASSWORD, per_second=options.logins_per_second
            )
            site.steps.step("pings beside logins")
            logins.start()
            try:
                busy = _pings(connection, target.process.pid, options, f"{options.logins_per_second:g} logins/s")
            finally:
                logins.stop()
    answered, refused = logins.answers.get(200, 0), logins.answers.get(429, 0)
    figures = {**busy.figures, "logins": answered, "refused": refused, "login_p50_ms": percentile(logins.ms, 50)}
    p99 = busy.figures["pong_p99_ms"]
    return Outcome(
        "logins",
        by_name(options),
        (peace, Row(busy.label, figures)),
        (Finding(f"pong p99 beside logins of {p99:.1f} ms / {GOAL_MS:g} ms", p99 / GOAL_MS, 1.0),),
        (
            Check("every login was answered, or refused with 429", answered + refused == sum(logins.answers.values())),
            Check("some logins succeeded", answered > 0),
        ),
    )


def _connected(port: int, token: str) -> Connection:
    (connection,) = open_connections(port, [Greeting(token)])
    return connection


def _pings(connection: Connection, pid: int, options: LoginOptions, label: str) -> Row:
    meter = Meter(pid)
    ms: list[float] = []
    for began in turns(time.perf_counter() + options.seconds):
        connection.send(_PING)
        connection.wait_for("pong")
        ms.append((time.perf_counter() - began) * 1e3)
        time.sleep(options.pause_ms / 1e3)
    metered = meter.read()
    figures = {
        "pings": float(len(ms)),
        "pong_p50_ms": percentile(ms, 50),
        "pong_p99_ms": percentile(ms, 99),
        "pong_max_ms": max(ms),
        "server_cores": metered.server.total / metered.wall_seconds,
    }
    return Row(label, figures)


LOGINS = Scenario(
    "logins",
    "how long others wait while passwords are checked",
    full=LoginOptions(),
    short=LoginOptions(seconds=4.0),
    run=run_logins,
)
