"""Relations: contacts, blocks, pictures, and when somebody was last there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from functools import partial
from itertools import pairwise, permutations

import pytest
import trio
from msgspec.structs import replace

from storage.account_ports import Relations
from storage.account_records import BlockRecord, ContactRecord
from storage.errors import Conflict, Unstorable
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_append import MAX_INT
from tests.storage.samples import a_user, an_avatar

ASKED = ContactRecord("u_1", "u_2", asked_by="u_2", at=5)
ACCEPTED = ContactRecord("u_1", "u_2", asked_by=None, at=6)


async def test_somebody_asks_and_the_other_accepts(relations: Relations) -> None:
    """Guarantee: two people have one row, however they are named; accepting is asking back."""
    assert await relations.contact("u_1", "u_2") is None
    assert await relations.ask_contact("u_2", "u_1", at=5) == ASKED
    assert await relations.contact("u_1", "u_2") == await relations.contact("u_2", "u_1") == ASKED
    assert await relations.ask_contact("u_1", "u_2", at=6) == ACCEPTED
    assert await relations.contact("u_1", "u_2") == await relations.contact("u_2", "u_1") == ACCEPTED
    assert await relations.contact("u_1", "u_3") is None


async def test_asking_again_changes_nothing(relations: Relations) -> None:
    """Guarantee: a request whose outcome was unknown may be tried again, before and after it was accepted."""
    await relations.ask_contact("u_2", "u_1", at=5)
    assert await relations.ask_contact("u_2", "u_1", at=9) == ASKED
    await relations.ask_contact("u_1", "u_2", at=6)
    for user, other in (("u_1", "u_2"), ("u_2", "u_1")):
        assert await relations.ask_contact(user, other, at=9) == ACCEPTED
    assert await relations.all_contacts(limit=9) == [ACCEPTED]


async def test_requests_that_cross_are_accepted_once(relations: Relations) -> None:
    """Guarantee: of fifty at the same moment, half of them from either side, one row is left, and it is accepted.

    Exactly one call is the first and sees its own request; all others that it did not accept see it accepted.
    """
    answers: list[ContactRecord] = []

    async def ask(number: int) -> None:
        user, other = ("u_1", "u_2") if number % 2 else ("u_2", "u_1")
        answers.append(await relations.ask_contact(user, other, at=number))

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(ask, number)
    (contact,) = await relations.all_contacts(limit=9)
    assert (contact.low, contact.high, contact.asked_by) == ("u_1", "u_2", None)
    asked = {answer for answer in answers if answer.asked_by is not None}
    assert len(asked) == 1
    assert {answer for answer in answers if answer.asked_by is None} == {contact}
    assert len(answers) == 50


async def test_nobody_is_a_contact_of_their_own(relations: Relations) -> None:
    """Guarantee: a row of one person is refused; it would be listed twice and accepted by nobody."""
    with pytest.raises(ValueError, match="their own"):
        await relations.ask_contact("u_1", "u_1", at=5)
    assert await relations.contact("u_1", "u_1") is None
    assert await relations.all_contacts(limit=9) == []


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_contact_is_dropped_by_either(relations: Relations, accepted: bool) -> None:
    """Guarantee: a request taken back, one rejected and an end of it are one thing, and others stay."""
    for user, other in (("u_1", "u_2"), ("u_2", "u_1")):
        await relations.ask_contact("u_1", "u_2", at=5)
        await relations.ask_contact("u_2", "u_3", at=5)
        if accepted:
            await relations.ask_contact("u_2", "u_1", at=6)
        assert not await relations.drop_contact("u_1", "u_3")
        assert await relations.drop_contact(user, other)
        assert not await relations.drop_contact(user, other)
        assert await relations.all_contacts(limit=9) == [ContactRecord("u_2", "u_3", "u_2", 5)]


async def test_contacts_are_listed_by_the_others_id(relations: Relations) -> None:
    """Guarantee: a page at a time, each once, whoever of the two has the lesser id. The contact list relies on it."""
    for number in (2, 9, 4, 6, 8, 1):
        await relations.ask_contact("u_5", f"u_{number}", at=number)
    await relations.ask_contact("u_1", "u_9", at=0)
    others: list[str] = []
    cursor, pages = None, 0
    while cursor is not None or pages == 0:
        page = await relations.contacts_of("u_5", cursor=cursor, limit=4)
        others += [contact.low if contact.high == "u_5" else contact.high for contact in page.items]
        assert all("u_5" in (contact.low, contact.high) for contact in page.items)
        cursor, pages = page.next_cursor, pages + 1
        assert cursor in (None, others[-1])
    assert (others, pages) == (["u_1", "u_2", "u_4", "u_6", "u_8", "u_9"], 2)
    assert (await relations.contacts_of("u_5", cursor="u_9", limit=4)).items == ()
    assert (await relations.contacts_of("u_5", cursor="u_5", limit=1)).items == (ContactRecord("u_5", "u_6", "u_5", 6),)
    assert (await relations.contacts_of("u_5", cursor="zzz", limit=4)).next_cursor is None
    exact = await relations.contacts_of("u_5", cursor=None, limit=6)
    assert (len(exact.items), exact.next_cursor) == (6, None)
    assert (await relations.contacts_of("u_7", cursor=None, limit=4)).items == ()
    assert (await relations.contacts_of("u_5", cursor=None, limit=0)).items == ()


async def a_crowd(stores: Stores, people: int) -> list[str]:
    """Make accounts, whose ids are given."""
    users = [a_user(number) for number in range(1, people + 1)]
    for user in users:
        await stores.directory.create_user(user)
    return [user.id for user in users]


async def refusal_of(call: Awaitable[object]) -> str | None:
    """Give the kind of the Conflict that a call ends with."""
    try:
        await call
    except Conflict as conflict:
        return conflict.kind
    return None


async def test_nobody_asks_and_accepts_more_than_they_may(stores: Stores) -> None:
    """Guarantee: at the limit nothing is stored and what is there may be asked again; a place that is freed is one.

    Who is asked spends no place of their own before they accept.
    """
    one, two, three, four = await a_crowd(stores, 4)
    ask = partial(stores.relations.ask_contact, at=5, most=2)
    for other in (one, three):
        await ask(two, other)
    assert await refusal_of(ask(two, four)) == "full"
    assert await stores.relations.contact(two, four) is None
    assert (await ask(two, one)).asked_by == two
    assert (await ask(four, two)).asked_by == four
    assert await refusal_of(ask(two, four)) == "full"
    assert await stores.relations.contact(two, four) == ContactRecord(two, four, four, 5), "it waits as before"
    assert (await ask(one, two)).asked_by is None
    assert (await ask(two, one)).asked_by is None
    assert await refusal_of(ask(two, four)) == "full", "accepted ones count as well"
    await stores.relations.drop_contact(three, two)
    assert (await ask(two, four)).asked_by is None


async def test_no_more_wait_for_an_answer_than_may(stores: Stores) -> None:
    """Guarantee: whom strangers have asked as often as they can still asks and accepts, and makes place by that."""
    one, two, three, four, five = await a_crowd(stores, 5)
    ask = partial(stores.relations.ask_contact, at=5, most=2)
    for other in (one, five):
        await ask(other, three)
    assert await refusal_of(ask(two, three)) == "awaited"
    assert await stores.relations.contact(two, three) is None
    assert (await ask(three, four)).asked_by == three
    assert (await ask(three, one)).asked_by is None
    assert (await ask(two, three)).asked_by == two


async def test_many_requests_at_once_are_no_more_than_may_be(stores: Stores) -> None:
    """Guarantee: however many one person asks at the same moment, and however many ask one person."""
    people = await a_crowd(stores, 20)
    hub = people[10]
    answers: list[str | None] = []

    async def ask(user: str, other: str) -> None:
        answers.append(await refusal_of(stores.relations.ask_contact(user, other, at=5, most=3)))

    async with trio.open_nursery() as nursery:
        for number, other in enumerate(people):
            if other != hub:
                nursery.start_soon(ask, *((hub, other) if number % 2 else (other, hub)))
    contacts = await stores.relations.all_contacts(limit=99)
    assert [contact.asked_by == hub for contact in contacts].count(True) == 3
    assert [contact.asked_by == hub for contact in contacts].count(False) == 3
    assert Counter(answers) == {None: 6, "full": 7, "awaited": 6}


async def test_nobody_blocks_more_than_they_may(stores: Stores) -> None:
    """Guarantee: at the limit nothing changes, contacts neither; whom one blocks may be blocked again."""
    one, two, three, four = await a_crowd(stores, 4)
    await stores.relations.ask_contact(one, four, at=5)
    block = partial(stores.relations.block, at=5, most=2)
    assert await block(one, two)
    assert await block(one, three)
    assert not await block(one, three)
    assert await refusal_of(block(one, four)) == "full"
    assert await stores.relations.contact(one, four) is not None
    assert await block(two, one), "each has a limit of their own"
    await stores.relations.unblock(one, two)
    refusals: list[str | None] = []

    async def once(other: str) -> None:
        refusals.append(await refusal_of(block(one, other)))

    async with trio.open_nursery() as nursery:
        for other in (two, four):
            nursery.start_soon(once, other)
    assert sorted(refusals, key=str) == [None, "full"]


async def test_a_block_ends_being_contacts(relations: Relations) -> None:
    """Guarantee: it counts from the first time on, and neither a contact nor a request is left, in either direction."""
    for user, other in permutations(("u_1", "u_2")):
        await relations.ask_contact("u_1", "u_2", at=5)
        await relations.ask_contact("u_1", "u_3", at=5)
        assert await relations.block(user, other, at=6)
        assert not await relations.block(user, other, at=7)
        assert await relations.contact("u_1", "u_2") is None
        assert (await relations.blocks_of(user, cursor=None, limit=9)).items == ((other, 6),)
        assert await relations.unblock(user, other)
        assert not await relations.unblock(user, other)
        assert await relations.contact("u_1", "u_2") is None
    assert await relations.all_contacts(limit=9) == [ContactRecord("u_1", "u_3", "u_1", 5)]


async def test_a_block_is_of_one_direction(relations: Relations) -> None:
    """Guarantee: each of two may block the other, and each lifts their own."""
    await relations.block("u_1", "u_2", at=5)
    await relations.block("u_2", "u_1", at=6)
    assert not await relations.unblock("u_1", "u_3")
    assert await relations.unblock("u_1", "u_2")
    assert await relations.blocked_by("u_1", ["u_2"]) == ["u_2"]
    assert await relations.blocked_by("u_2", ["u_1"]) == []


async def test_who_of_many_blocks_somebody_is_told(relations: Relations) -> None:
    """Guarantee: the set of these who block the user. A mention asks so for all members of a room."""
    for number in (1, 3, 5, 700):
        await relations.block(f"u_{number}", "u_2", at=5)
    await relations.block("u_2", "u_4", at=5)
    asked = [f"u_{number}" for number in range(600)]
    assert sorted(await relations.blocked_by("u_2", [*asked, "u_1"])) == ["u_1", "u_3", "u_5"]
    assert await relations.blocked_by("u_4", ["u_1", "u_2"]) == ["u_2"]
    assert await relations.blocked_by("u_2", []) == []


async def test_blocks_are_listed_in_pages(relations: Relations) -> None:
    """Guarantee: by id, each once, with when it was set. The list of the blocked shows them."""
    for number in (4, 2, 5, 1, 3):
        await relations.block("u_0", f"u_{number}", at=number)
    await relations.block("u_9", "u_6", at=0)
    first = await relations.blocks_of("u_0", cursor=None, limit=2)
    assert (first.items, first.next_cursor) == ((("u_1", 1), ("u_2", 2)), "u_2")
    rest = await relations.blocks_of("u_0", cursor=first.next_cursor, limit=3)
    assert (rest.items, rest.next_cursor) == ((("u_3", 3), ("u_4", 4), ("u_5", 5)), None)
    assert (await relations.blocks_of("u_1", cursor=None, limit=9)).items == ()


async def test_a_picture_is_kept_as_it_was_put(relations: Relations) -> None:
    """Guarantee: byte for byte, one for each user, the last one. Browsers are served it under its id."""
    large = replace(an_avatar(1), data=bytes(range(256)) * 1024, id="a_large")
    for avatar in (an_avatar(1), large, replace(an_avatar(1), data=b"", media_type="")):
        await relations.put_avatar(avatar)
        assert await relations.avatar("u_0001") == avatar
    await relations.put_avatar(an_avatar(2))
    await relations.drop_avatar("u_0001")
    await relations.drop_avatar("u_0001")
    assert await relations.avatar("u_0001") is None
    assert await relations.avatar("u_0002") == an_avatar(2)


async def test_nothing_is_left_of_who_leaves(relations: Relations) -> None:
    """Guarantee: contacts and blocks of both directions and the picture go; those of others stay.

    The deletion of an account relies on it.
    """
    people = ("u_1", "u_2", "u_3")
    for user, other in pairwise(people):
        await relations.ask_contact(user, other, at=5)
    await relations.put_contacts([stays := ContactRecord("u_1", "u_3", None, 5)])
    for user, other in permutations(people, 2):
        await relations.put_blocks([BlockRecord(user, other, 5)])
    for number in (1, 2, 3):
        await relations.put_avatar(an_avatar(number, user=f"u_{number}"))
    await relations.drop_relations("u_2")
    await relations.drop_relations("u_2")
    assert await relations.all_contacts(limit=9) == [stays]
    assert await relations.all_blocks(limit=9) == [BlockRecord("u_1", "u_3", 5), BlockRecord("u_3", "u_1", 5)]
    assert [avatar.user for avatar in await relations.all_avatars(limit=9)] == ["u_1", "u_3"]


async def test_who_leave_at_once_do_not_hinder_each_other(relations: Relations) -> None:
    """Guarantee: people who are all each other's contacts, and block each other, may all go at the same moment."""
    people = [f"u_{number:02d}" for number in range(8)]
    pairs = list(permutations(people, 2))
    await relations.put_contacts([ContactRecord(low, high, None, 5) for low, high in pairs if low < high])
    await relations.put_blocks([BlockRecord(user, other, 5) for user, other in pairs])
    async with trio.open_nursery() as nursery:
        for person in people:
            nursery.start_soon(relations.drop_relations, person)
    assert await relations.all_contacts(limit=9) == []
    assert await relations.all_blocks(limit=9) == []


async def test_when_somebody_was_last_there_is_remembered(stores: Stores) -> None:
    """Guarantee: times only move forward, nothing else of an account changes, and who is unknown is left out.

    Several servers write what each of them has seen, and no server counts this as a change of the account.
    """
    for number in (1, 2, 3):
        await stores.directory.create_user(a_user(number))
    await stores.relations.seen({"u_0001": 5, "u_0002": -3, "u_none": 7})
    await stores.relations.seen({"u_0001": 4, "u_0002": -2, "u_0003": MAX_INT})
    await stores.relations.seen({})
    assert await stores.directory.all_users(limit=9) == [
        replace(a_user(1), last_seen_at=5),
        replace(a_user(2), last_seen_at=-2),
        replace(a_user(3), last_seen_at=MAX_INT),
    ]
    assert await stores.directory.user_by_login(name_key="user0001") == replace(a_user(1), last_seen_at=5)


async def test_those_who_see_the_same_people_at_once_do_not_hinder_each_other(stores: Stores) -> None:
    """Guarantee: many at the same moment, in any order, and the latest time stays."""
    people = [f"u_{number:04d}" for number in range(1, 21)]
    for number in range(1, 21):
        await stores.directory.create_user(a_user(number))
    async with trio.open_nursery() as nursery:
        for at in range(10):
            order = people if at % 2 else people[::-1]
            nursery.start_soon(stores.relations.seen, {user: at + place for place, user in enumerate(order)})
    times = [user.last_seen_at for user in await stores.directory.all_users(limit=20)]
    assert times == [max(9 + place, 8 + 19 - place) for place in range(20)]


async def test_everything_is_listed_in_pages_and_put_as_it_is(relations: Relations) -> None:
    """Guarantee: every one once, by its key; put in place of what was there. A copy of the site goes by this."""
    contacts = [ContactRecord("u_1", "u_3", None, 1), ContactRecord("u_1", "u_9", "u_9", 2)]
    contacts += [ContactRecord("u_2", "u_3", "u_2", 3)]
    blocks = [BlockRecord("u_1", "u_2", 1), BlockRecord("u_1", "u_3", 2), BlockRecord("u_2", "u_1", 3)]
    avatars = [an_avatar(1), an_avatar(2), an_avatar(3)]
    await relations.put_contacts([replace(contact, at=99, asked_by=contact.low) for contact in contacts])
    await relations.put_blocks([replace(block, at=99) for block in blocks])
    await relations.put_contacts(contacts[::-1])
    await relations.put_blocks(blocks[::-1])
    await relations.put_contacts([])
    await relations.put_blocks([])
    for avatar in avatars[::-1]:
        await relations.put_avatar(avatar)
    assert await relations.all_contacts(limit=2) == contacts[:2]
    assert await relations.all_contacts(after=("u_1", "u_9"), limit=9) == contacts[2:]
    assert await relations.all_blocks(limit=2) == blocks[:2]
    assert await relations.all_blocks(after=("u_1", "u_3"), limit=9) == blocks[2:]
    assert await relations.all_avatars(limit=1) == avatars[:1]
    assert await relations.all_avatars(after="u_0001", limit=9) == avatars[1:]
    assert await relations.contact("u_9", "u_1") == contacts[1]


async def test_relations_that_no_store_can_hold_are_refused(relations: Relations) -> None:
    """Guarantee: an id that a client made up fails its own call at worst, and leaves nothing behind."""
    for bad in ("\ud800", "u\0"):
        for call in (relations.ask_contact, relations.block):
            with pytest.raises(Unstorable):
                await call("u_1", bad, at=5)
        for drop in (relations.drop_contact, relations.unblock):
            with pytest.raises(Unstorable):
                await drop(bad, "u_1")
        for forget in (relations.drop_avatar, relations.drop_relations):
            with pytest.raises(Unstorable):
                await forget(bad)
        for put in (
            relations.put_contacts([ContactRecord("u_1", "u_2", None, 5), ContactRecord("u_1", bad, None, 5)]),
            relations.put_blocks([BlockRecord("u_1", "u_2", 5), BlockRecord(bad, "u_2", 5)]),
            relations.put_avatar(replace(an_avatar(1), media_type=bad)),
            relations.seen({"u_1": 5, bad: 5}),
        ):
            with pytest.raises(Unstorable):
                await put
    with pytest.raises(Unstorable):
        await relations.ask_contact("u_1", "u_2", at=2**63)
    assert await relations.all_contacts(limit=9) == []
    assert await relations.all_blocks(limit=9) == []
    assert await relations.all_avatars(limit=9) == []
