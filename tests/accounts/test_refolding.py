"""Names that were folded by an earlier rule, and are folded again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from justchat.accounts.refolding import refold_names
from storage.memory import MemoryDirectory, MemoryStore
from storage.records import UserRecord
from tests.storage.samples import a_user


class Counted(MemoryDirectory):
    """Counts what is looked up."""

    __slots__ = ("looks",)

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.looks = 0

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        self.looks += 1
        return await super().all_users(after=after, limit=limit)


def named(number: int, username: str, key: str) -> UserRecord:
    return replace(a_user(number), username=username, name_key=key)


async def test_names_are_folded_again_once(caplog: pytest.LogCaptureFixture) -> None:
    """People are found by the new rule; two that are the same now are left apart, and said; those who left stay so."""
    directory = Counted(MemoryStore())
    users = [
        named(1, "Ann", "ann"),
        named(2, "Коко", "коко"),
        named(3, "Сосо", "сосо"),
        named(4, "coco", "coco"),
        replace(named(5, "u_0005", "u_0005"), state="gone", disabled=True),
    ]
    for user in users:
        await directory.create_user(user)
    for _ in range(2):
        await refold_names(directory)
    keys = [user.name_key for user in await directory.all_users(limit=9)]
    assert keys == ["ann", "koko", "сосо", "coco", "u_0005"]
    assert (await directory.user("u_0001")) == users[0], "nothing is written where nothing changes"
    assert [record.getMessage() for record in caplog.records] == [
        "event=name_not_folded user=u_0003 cause=username_taken"
    ]
    assert directory.looks == 3, "two for the first time, and this test's own"
