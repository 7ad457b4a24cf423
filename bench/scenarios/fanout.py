"""fanout: what one delivery costs the server, beside a broadcast server on the `websockets` library.

Rounds of the two alternate in one run, and the ratio is taken round by round, so that what disturbs the machine
disturbs both. Then JustChat alone is held at a load that the comparator cannot carry. JustChat's messages are durable
before they are delivered; the comparator's are never stored.
"""

from __future__ import annotations

from contextlib import ExitStack

from msgspec import Struct

from bench.crowd import Crowd, CrowdSize, Load, Round, crowd, doubts_about_round, story_of
from bench.percentile import median
from bench.report import Check, Finding, Outcome, Row
from bench.scenario import Scenario, Site, by_name
from bench.target import COMPARATOR, JUSTCHAT, Target, comparator_target, justchat_target

CPU_GOAL = 0.9
_CPU = "cpu_us_per_delivery"
_OWN = "of_which_own_us"
_P99 = "delivery_p99_ms"


class FanoutOptions(Struct, frozen=True):
    """`rate` and `sustained_rate` are messages per second; times `receivers` they are deliveries per second."""

    receivers: int = 500
    sampled: int = 10
    senders: int = 16
    body_bytes: int = 100
    rate: float = 100.0
    seconds: float = 4.0
    rounds: int = 5
    sustained_rate: float = 1000.0
    sustained_seconds: float = 8.0


def median_row(label: str, rounds: list[Round]) -> Row:
    """Make one row of the medians of several rounds."""
    each = [round_.figures() for round_ in rounds]
    values = {name: [figures[name] for figures in each] for name in each[0]}
    medians = {name: median(found) for name, found in values.items()}
    doubts = doubts_about_round(medians)
    if not all(each.gapless and each.carried for each in rounds):
        doubts += (story_of(rounds),)
    return Row(label, medians, doubts, {name: values[name] for name in (_CPU, _OWN, _P99)})


def compare(ours: Target, theirs: Target, options: FanoutOptions, site: Site) -> tuple[list[Round], list[Round]]:
    """Alternate rounds of two targets, after one that does not count. Raises ClientFailed."""
    size = CrowdSize(options.receivers, options.sampled, options.senders)
    load = Load(options.rate, options.seconds, options.body_bytes)
    warm_up = Load(options.rate, min(1.0, options.seconds), options.body_bytes)
    with ExitStack() as stack:
        crowds: list[Crowd] = []
        for target in (ours, theirs):
            site.steps.step(f"{options.receivers} receivers join {target.process.name}")
            crowds.append(stack.enter_context(crowd(target, size)))
            crowds[-1].play(warm_up)
        found: tuple[list[Round], list[Round]] = ([], [])
        for number in range(options.rounds):
            for target, playing, rounds in zip((ours, theirs), crowds, found, strict=True):
                site.steps.step(f"round {number + 1}: {target.process.name}")
                rounds.append(playing.play(load))
    return found


def sustain(target: Target, options: FanoutOptions, site: Site) -> Round:
    """Hold one target at the sustained rate. Raises ClientFailed."""
    site.steps.step(f"{options.receivers} receivers join {target.process.name} again")
    with crowd(target, CrowdSize(options.receivers, options.sampled, options.senders)) as playing:
        playing.play(Load(options.sustained_rate, min(1.0, options.sustained_seconds), options.body_bytes))
        site.steps.step(f"{options.receivers * options.sustained_rate:,.0f} deliveries/s")
        return playing.play(Load(options.sustained_rate, options.sustained_seconds, options.body_bytes))


def _ratio(name: str, figure: str, ours: Row, theirs: Row, goal: float | None = None) -> Finding:
    pairs = zip(ours.rounds[figure], theirs.rounds[figure], strict=True)
    values = [mine / max(other, 1e-9) for mine, other in pairs]
    name = f"{name} (rounds: {min(values):.2f} to {max(values):.2f})"
    return Finding(name, median(values), goal, ours.valid and theirs.valid)


def run_fanout(options: FanoutOptions, site: Site) -> Outcome:
    """Compare, then sustain."""
    site.steps.expect(2 + 2 * options.rounds + 2)
    with justchat_target(site.directory, "--sockets-per-user", "100000") as ours:
        with comparator_target(site.directory) as theirs:
            rounds, other_rounds = compare(ours, theirs, options, site)
        sustained = sustain(ours, options, site)
    mine, others = median_row(JUSTCHAT, rounds), median_row(COMPARATOR, other_rounds)
    held = median_row(f"{JUSTCHAT} sustained", [sustained])
    findings = (
        _ratio(f"CPU per delivery, {JUSTCHAT} / {COMPARATOR}", _CPU, mine, others, CPU_GOAL),
        _ratio(f"its part outside the kernel, {JUSTCHAT} / {COMPARATOR}", _OWN, mine, others),
        _ratio(f"delivery p99, {JUSTCHAT} / {COMPARATOR}", _P99, mine, others),
        Finding(
            f"CPU per delivery, sustained / at {options.rate:,.0f} messages/s", held.figures[_CPU] / mine.figures[_CPU]
        ),
    )
    all_rounds = [*rounds, sustained]
    checks = (
        Check(
            "every receiver got every acknowledged message once, in order",
            all(each.gapless for each in all_rounds),
            story_of(all_rounds),
        ),
        Check("no receiver was ever told that it lags", not any(r.lagging for r in all_rounds)),
    )
    return Outcome("fanout", by_name(options), (mine, others, held), findings, checks)


FANOUT = Scenario(
    "fanout",
    "CPU and latency of one delivery in a room of 500, beside the websockets library",
    full=FanoutOptions(),
    short=FanoutOptions(seconds=2.0, rounds=3, sustained_seconds=3.0),
    run=run_fanout,
)
