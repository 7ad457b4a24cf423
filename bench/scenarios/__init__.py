"""The scenarios, one file each, by name."""

from __future__ import annotations

from typing import Final

from bench.scenario import AnyScenario
from bench.scenarios.actors import ACTORS
from bench.scenarios.fanout import FANOUT
from bench.scenarios.growth import GROWTH
from bench.scenarios.idle import IDLE
from bench.scenarios.journal import JOURNAL
from bench.scenarios.logins import LOGINS
from bench.scenarios.resume import RESUME
from bench.scenarios.send import SEND

SCENARIOS: Final[dict[str, AnyScenario]] = {
    scenario.name: scenario for scenario in (FANOUT, IDLE, SEND, ACTORS, RESUME, JOURNAL, GROWTH, LOGINS)
}
