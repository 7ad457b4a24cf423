"""The checker counts what it says: nothing in flawless runs, and each planted violation under its own name.

A checker that misses a violation makes every fault test worthless, so each figure is tried twice: by hand, where the
exact figures are known, and on drawn runs, where the planted one at least must be seen.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from msgspec.structs import replace

from tests.faults.checker import (
    ANSWER_SECONDS,
    MUST_BE_ZERO,
    Answered,
    ClientLog,
    Closed,
    Delivered,
    Item,
    Joined,
    Posted,
    Report,
    Resumed,
    check,
)
from tests.faults.histories import Move, Run, moves, play

Plant = Callable[[Run], None]


def judge(run: Run) -> Report:
    return check(run.logs, run.history, kills=run.kills)


def end_of(run: Run, room: str) -> int:
    return max(item.seq for item in run.history if item.room == room)


def lose_the_newest(run: Run) -> None:
    """The last message of a room, whose ack came, is in no history and was seen by nobody."""
    item = next(i for i in run.history if i.room == "r1" and i.seq == end_of(run, "r1"))
    run.history.remove(item)
    for log in run.logs:
        log.records = [r for r in log.records if not (isinstance(r, Delivered) and r.item == item)]


def show_what_is_not_stored(run: Run) -> None:
    """One client sees a message beyond the end of history."""
    item = Item("r1", end_of(run, "r1") + 1, "message.created", "bob", "m-phantom", "bob0", "body of bob0")
    run.logs[0].records.append(Delivered(999.0, 1, item))


def store_what_nobody_posted(run: Run) -> None:
    """The history holds a message of somebody's that they never posted; everybody saw it."""
    append_everywhere(run, Item("r1", end_of(run, "r1") + 1, "message.created", "bob", "m-stray", "stray", "?"))


def store_twice(run: Run) -> None:
    """A message is in the history again, under another id; everybody saw it."""
    first = next(item for item in run.history if item.message_id)
    append_everywhere(run, replace(first, seq=end_of(run, first.room) + 1, message_id="m-again"))


def append_everywhere(run: Run, item: Item) -> None:
    run.history.append(item)
    for log in run.logs:
        log.records.append(Delivered(999.0, 1, item))


def deliver_twice(run: Run) -> None:
    """One client is given its latest event again."""
    run.logs[0].records.append([r for r in run.logs[0].records if isinstance(r, Delivered)][-1])


def skip_one(run: Run) -> None:
    """One client never sees the first of its events."""
    run.logs[0].records.remove(next(r for r in run.logs[0].records if isinstance(r, Delivered)))


def skip_the_last(run: Run) -> None:
    """One client never sees the end of a room, which nothing after it could reveal."""
    seen = [r for r in run.logs[0].records if isinstance(r, Delivered) and r.item.room == "r1"]
    run.logs[0].records = [r for r in run.logs[0].records if r is not seen[-1]]


def swap_two(run: Run) -> None:
    """One client sees two consecutive events of a room the wrong way round."""
    records = run.logs[0].records
    first, second = [n for n, r in enumerate(records) if isinstance(r, Delivered) and r.item.room == "r1"][:2]
    records[first], records[second] = records[second], records[first]


def post_earlier(run: Run) -> None:
    """A client's newest message turns out to have been posted before its oldest one in that room, and not answered."""
    log = run.logs[0]
    mine = [i for i in run.history if i.room == "r1" and i.author == log.user and i.message_id]
    newest = mine[-1].client_msg_id
    last = next(r for r in log.records if isinstance(r, Posted) and r.client_msg_id == newest)
    log.records.insert(0, replace(last, at=0.5, connection=0))
    log.records.insert(1, Closed(0.6, 0))
    if mine[0] is mine[-1]:
        pytest.fail("this plant needs two messages")


def forget_an_entry(run: Run) -> None:
    """An event that is no message is missing inside the history, and was seen by nobody."""
    run.history = [replace(i, seq=i.seq + 1) if i.seq == 1 and i.room == "r1" else i for i in run.history]


def ack_another_place(run: Run) -> None:
    """An ack names a seq that is not the message's."""
    number, ack = first_ack(run)
    run.logs[0].records[number] = replace(ack, seq=ack.seq + 1)


def ack_another_message(run: Run) -> None:
    """An ack names an id that is not the message's."""
    number, ack = first_ack(run)
    run.logs[0].records[number] = replace(ack, message_id="m-other")


def store_another_body(run: Run) -> None:
    """A message reads otherwise in the history than it was posted; everybody saw it like that."""
    item = next(i for i in run.history if i.message_id)
    changed = replace(item, body="something else")
    run.history[run.history.index(item)] = changed
    for log in run.logs:
        log.records = [
            replace(r, item=changed) if isinstance(r, Delivered) and r.item == item else r for r in log.records
        ]


def post_later(run: Run) -> None:
    """A message was not posted before the one that follows it in the room was acked."""
    for log in run.logs[:1]:
        first = next(r for r in log.records if isinstance(r, Posted))
        log.records = [
            replace(r, at=998.0) if isinstance(r, Posted) and r.client_msg_id == first.client_msg_id else r
            for r in log.records
        ]


def owe_an_answer(run: Run) -> None:
    """An attempt on a connection that never broke has no answer."""
    run.logs[0].records.append(Posted(997.0, 99, "f", "r1", "ann0", "body of ann0"))


def answer_too_late(run: Run) -> None:
    """An attempt has no answer although its connection stayed open longer than an answer may take."""
    owe_an_answer(run)
    run.logs[0].records.append(Closed(997.0 + ANSWER_SECONDS + 0.1, 99))


def first_ack(run: Run) -> tuple[int, Answered]:
    return next((n, r) for n, r in enumerate(run.logs[0].records) if isinstance(r, Answered) and not r.code)


PLANTS: list[tuple[Plant, dict[str, int]]] = [
    (lose_the_newest, {"lost_acked": 1}),
    (show_what_is_not_stored, {"phantom": 1}),
    (store_what_nobody_posted, {"unexpected": 1}),
    (store_twice, {"dup_history": 1}),
    (deliver_twice, {"dup_delivery": 1, "order_violations": 1}),
    (skip_one, {"gaps": 1}),
    (skip_the_last, {"gaps": 1}),
    (swap_two, {"order_violations": 1}),
    (post_earlier, {"order_violations": 1}),
    (forget_an_entry, {"seq_holes": 1}),
    (ack_another_place, {"ack_mismatch": 1}),
    (ack_another_message, {"ack_mismatch": 1}),
    (store_another_body, {"ack_mismatch": 1}),
    (post_later, {"realtime_order": 1}),
    (owe_an_answer, {"unanswered": 1}),
    (answer_too_late, {"unanswered": 1}),
]
ENOUGH: list[Move] = [("post", 0, 0), ("post", 1, 0)]


@given(moves)
def test_flawless_runs_have_no_violations(what: list[Move]) -> None:
    """Lost answers, lost posts, refusals, repeats, breaks and kills are all within the promise."""
    assert judge(play(what)).violations == {}


@pytest.mark.parametrize(("plant", "expected"), PLANTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_violation_is_counted_once_and_under_its_name(plant: Plant, expected: dict[str, int]) -> None:
    """In a short run the exact figures are known, also those that must stay zero."""
    run = play(ENOUGH)
    plant(run)
    assert judge(run).violations == expected


@pytest.mark.parametrize(("plant", "expected"), PLANTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_violation_is_seen_in_any_run(plant: Plant, expected: dict[str, int]) -> None:
    """Whatever else went on, the planted violation does not drown."""

    @given(moves)
    def drawn(what: list[Move]) -> None:
        # Where a post was refused the order of its sender's other posts is not judged, so there is nothing to plant.
        assume(plant is not post_earlier or all(move[0] != "refuse" for move in what))
        run = play([*what, *[("return", client, 0) for client in range(3)], *ENOUGH])
        assert not judge(run).violations
        plant(run)
        assert expected.keys() <= judge(run).violations.keys()

    drawn()


def test_every_figure_that_must_be_zero_is_planted() -> None:
    """A figure without a plant would be a figure nobody has seen fail."""
    assert {name for _, expected in PLANTS for name in expected} == set(MUST_BE_ZERO)


def test_what_a_run_is_worth_is_counted() -> None:
    """Acks, kills that hit a post in flight, resumes and recovered posts: the run that proves nothing shows."""
    quiet = judge(play([]))
    assert (quiet.acks, quiet.kills_in_flight, quiet.resumes, quiet.recovered) == (6, 0, 0, 0)
    idle = judge(play([("kill", 0, 0)]))
    assert (idle.kills_in_flight, idle.resumes, idle.recovered) == (0, 6, 0)
    late = judge(play([("cut_late", 0, 0)]))
    assert (late.acks, late.resumes, late.recovered) == (7, 2, 1)
    early = judge(play([("cut_early", 0, 0)]))
    assert (early.acks, early.recovered) == (7, 0)


@pytest.mark.parametrize(("posted_at", "landed"), [(1.0, 1), (3.0, 0)])
def test_a_kill_lands_only_on_what_was_posted_before_it(posted_at: float, landed: int) -> None:
    """The post must have been in flight at the kill, on a connection that the kill broke."""
    log = ClientLog("ann", [Posted(posted_at, 1, "f", "r1", "x", "x"), Closed(2.5, 1)])
    assert check([log], [], kills=[2.0]).kills_in_flight == landed
    assert check([log], [], kills=[2.6]).kills_in_flight == 0


def test_a_gap_that_the_server_signalled_is_no_gap() -> None:
    """After a reset the stream begins anew, and the seqs before it may come again."""
    history = [Item("r1", seq, "room.updated", "ann") for seq in range(1, 10)]
    seen = [Delivered(float(item.seq), 1, item) for item in history]
    log = ClientLog("ann", [Joined("r1", 0), *seen[:3], Joined("r1", 6), *seen[6:], Resumed("r1", 0)], drained=True)
    assert check([log], history).violations == {}
    log.records.remove(Joined("r1", 6))
    assert check([log], history).violations == {"gaps": 3}


def test_rival_clients_of_one_user_and_refusals_excuse_the_order_of_posts() -> None:
    """The order of a sender's posts is promised per connection, and not for what was refused in between."""
    posts = [Posted(1.0, 1, "1", "r1", "a", "a"), Posted(2.0, 1, "2", "r1", "b", "b")]
    history = [Item("r1", 1, "message.created", "ann", "m1", "b", "b")]
    history.append(Item("r1", 2, "message.created", "ann", "m2", "a", "a"))
    closed = Closed(3.0, 1)
    assert check([ClientLog("ann", [*posts, closed])], history).violations == {"order_violations": 1}
    rival = ClientLog("ann", [posts[1], closed])
    assert check([ClientLog("ann", [*posts, closed]), rival], history).violations == {}
    racing = ClientLog("ann", [*posts, closed], ordered=False)
    assert check([racing], history).violations == {}
    refused = Answered(2.5, 1, "1", "r1", "a", code="room_overloaded")
    assert check([ClientLog("ann", [*posts, refused, closed])], history).violations == {}


def test_an_attempt_that_was_told_it_is_another_message_has_no_share_in_the_one_stored() -> None:
    """The body in the history must be that of an attempt which was not refused as a mismatch."""
    posts = [Posted(1.0, 1, "1", "r1", "a", "first"), Posted(1.0, 1, "2", "r1", "a", "second")]
    answers = [
        Answered(2.0, 1, "1", "r1", "a", 1, "m1"),
        Answered(2.0, 1, "2", "r1", "a", code="idempotency_mismatch"),
    ]
    history = [Item("r1", 1, "message.created", "ann", "m1", "a", "first")]
    log = ClientLog("ann", [*posts, *answers])
    assert check([log], history).violations == {}
    assert check([log], [replace(history[0], body="second")]).violations == {"ack_mismatch": 1}
