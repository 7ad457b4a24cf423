"""Any story of a room: commands, crashes, lost connections, restarts and time, on real rooms and on the model.

Hypothesis makes up the story; it is then played on the rooms and the reference model at once. Not one answer, not one
event that a subscriber sees, and nothing that can be looked up afterwards may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from trio.testing import MockClock

from justchat.rooms.commands import LeaveRoom, PostMessage
from tests.rooms.command_values import Chance, seeds
from tests.rooms.model_play import AFTER_COMMIT, Play
from tests.rooms.reference_model import DAY, EVERYBODY
from tests.storage.contract.backends import open_stores, ram_folder

Step = Callable[[Play], Awaitable[None]]

FULL = 200
COMMIT_FAULTS = ("before_commit", *AFTER_COMMIT)
TIMER_FAULTS = ("firing", *COMMIT_FAULTS, "before_keep", "after_keep")
# What has to come by in the few stories of the default run, the first five of them on each store; and in all of them.
OFTEN = ("yes", "no", "crashes", "restarts", "resumes", "unchanged", "by itself", "kept", "catch-ups", "cuts", "repeat")
WHAT_COMES_BY = (*OFTEN, "posted later", "resets")
people = st.sampled_from(EVERYBODY)


class Story(RuleBasedStateMachine):
    """A story, step by step; `kind` is the store that it is played on."""

    kind = "memory"
    totals: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.seed = 0
        self.random = Random(0)
        self.steps: list[Step | None] = []  # None: the server is restarted

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        """Everything that is said is chance of one seed, so that a shorter story is a part of the longer.

        Each story begins with what might not come by in a few: somebody comes back, and the server is restarted.
        """
        self.seed, self.random = seed, Random(seed)
        owner = EVERYBODY[0]
        hello, again = ([PostMessage(owner, word, "hello", b"h")] for word in ("hello", "again"))
        self.time_passes(30_000)  # so that no slow mode refuses it
        self.somebody_listens(owner, slow=False)
        self.steps.append(lambda play: play.serve(hello))
        self.a_connection_is_lost(owner)
        self.steps.append(lambda play: play.serve(again))
        self.somebody_listens(owner, slow=False)
        self.the_server_is_restarted()

    @rule(count=st.integers(1, 6))
    def people_talk(self, count: int) -> None:
        batch = [Chance(self.random).command() for _ in range(count)]
        self.steps.append(lambda play: play.serve(batch))

    @rule(count=st.integers(1, 6))
    def people_talk_more(self, count: int) -> None:
        self.people_talk(count)

    @rule(count=st.integers(1, 4))
    def people_ask_for_what_is_nobody_elses_business(self, count: int) -> None:
        batch = [Chance(self.random).kept() for _ in range(count)]
        self.steps.append(lambda play: play.serve(batch))

    @rule(fault=st.sampled_from(["before_keep", "after_keep"]))
    def the_room_crashes_over_what_is_nobody_elses_business(self, fault: str) -> None:
        batch = [Chance(self.random).kept()]
        self.steps.append(lambda play: play.serve(batch, fault=fault))

    @rule(count=st.integers(1, 4), fault=st.sampled_from(COMMIT_FAULTS))
    def the_room_crashes_with_commands_in_hand(self, count: int, fault: str) -> None:
        batch = [Chance(self.random).command() for _ in range(count)]
        self.steps.append(lambda play: play.serve(batch, fault=fault))
        # Whose connection was lost as well has heard nothing, and says it again.
        posts = [command for command in batch if isinstance(command, PostMessage)]
        if posts:
            self.steps.append(lambda play: play.serve(posts))

    @rule(fault=st.none() | st.just("loading"))
    def the_room_crashes_while_it_has_nothing_to_do(self, fault: str | None) -> None:
        self.steps.append(lambda play: play.kill(fault=fault))

    @rule(milliseconds=st.sampled_from([1, 1_000, 30_000, 30_000, 8 * DAY]))
    def time_passes(self, milliseconds: int) -> None:
        self.steps.append(lambda play: play.pass_time(milliseconds))

    @rule(milliseconds=st.sampled_from([30_000, 100_000]), fault=st.sampled_from(TIMER_FAULTS))
    def the_room_crashes_over_what_is_due(self, milliseconds: int, fault: str) -> None:
        self.steps.append(lambda play: play.pass_time(milliseconds, fault=fault))

    @rule(user=people, slow=st.booleans())
    def somebody_listens(self, user: str, slow: bool) -> None:
        self.steps.append(lambda play: play.attach(user, slow=slow))

    @rule(user=people)
    def a_connection_is_lost(self, user: str) -> None:
        self.steps.append(lambda play: play.leave(user))

    @rule(user=people, count=st.integers(1, 6), slow=st.booleans())
    def a_connection_is_lost_and_comes_back(self, user: str, count: int, slow: bool) -> None:
        self.somebody_listens(user, slow)
        self.people_talk(count)
        self.a_connection_is_lost(user)
        self.people_talk(count)
        self.somebody_listens(user, slow)

    @rule()
    def somebody_says_it_twice(self) -> None:
        post = Chance(self.random).post()
        self.steps += [lambda play: play.serve([post])] * 2

    @rule(user=people, count=st.integers(1, 6))
    def somebody_goes_who_still_listens(self, user: str, count: int) -> None:
        self.somebody_listens(user, slow=False)
        # Among what others say: before and after it.
        batch = [Chance(self.random).command(), LeaveRoom(user), *(Chance(self.random).command() for _ in range(count))]
        self.steps.append(lambda play: play.serve(batch))

    @rule()
    def the_server_is_restarted(self) -> None:
        self.steps.append(None)

    def teardown(self) -> None:
        """Play the story."""
        self.totals.update(trio.run(play, self.kind, self.seed, self.steps, clock=clock_for(self.kind)))


def clock_for(kind: str) -> MockClock | None:
    """Give the virtual clock where no thread and no socket is in the game."""
    return MockClock(autojump_threshold=0) if kind == "memory" else None


async def play(kind: str, seed: int, steps: list[Step | None]) -> Counter[str]:
    """Play the steps; after each the room is compared with its model. Gives what came by."""
    chapters: list[list[Step]] = [[]]
    for step in steps:
        if step is None:
            chapters.append([])
        else:
            chapters[-1].append(step)
    with ram_folder() as folder:
        async with open_stores(kind, folder) as stores:
            room = Play(stores, look_every=1 if kind == "memory" else 5)
            for number, chapter in enumerate(chapters):
                async with room.run():
                    if number == 0:
                        await room.begin(seed)
                    for step in chapter:
                        await step(room)
                await room.restart()
            room.totals["restarts"] = len(chapters) - 1
            return room.totals


def tell(kind: str, *, stories: int, steps: int) -> Counter[str]:
    """Tell stories of a kind of store, and give what came by in them."""
    totals: Counter[str] = Counter()
    story = type("Story", (Story,), {"kind": kind, "totals": totals})
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            derandomize=stories < FULL,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    return totals


@pytest.mark.real_clock
@pytest.mark.parametrize(
    ("kind", "stories", "steps"),
    [
        pytest.param("memory", 80, 30, id="memory"),
        pytest.param("sqlite", 6, 20, id="sqlite"),
        *[
            pytest.param(kind, 10 * FULL if kind == "memory" else FULL, 50, id=f"{kind}, full",
                         marks=[pytest.mark.soak, pytest.mark.timeout(7200)])
            for kind in ("memory", "sqlite", "postgres", "postgres+mongo")
        ],
    ],
)  # fmt: skip
def test_rooms_are_what_the_model_says(kind: str, stories: int, steps: int) -> None:
    """Zero divergences, in any story; and everything that there is to be told came by."""
    totals = tell(kind, stories=stories, steps=steps)
    print(f"\n{kind}: {dict(totals)}")
    come_by = WHAT_COMES_BY if stories >= FULL else OFTEN if kind == "memory" else OFTEN[:5]
    assert [name for name in come_by if not totals[name]] == []
