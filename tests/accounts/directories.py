"""A directory in RAM that can be told to fail, the way a database does."""

from __future__ import annotations

from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.memory import MemoryDirectory, MemoryStore
from storage.records import UserRecord


class FailingDirectory(MemoryDirectory):
    """Works until `down` is set; `cut_off` makes a creation or a change happen or not and its outcome unknown."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.down = False
        self.cut_off: str | None = None
        self.lookups = 0

    async def create_user(self, user: UserRecord) -> None:
        """Store a new account, or fail as told."""
        self._fail_if_down()
        if self.cut_off != "before":
            await super().create_user(user)
        if self.cut_off is not None:
            raise OutcomeUnknown("cut off")

    async def change_user(self, user: UserRecord) -> None:
        """Replace an account, or fail as told."""
        self._fail_if_down()
        if self.cut_off != "before":
            await super().change_user(user)
        if self.cut_off is not None:
            raise OutcomeUnknown("cut off")

    async def user(self, user: str) -> UserRecord | None:
        """One account by id, or fail as told."""
        self._fail_if_down()
        return await super().user(user)

    async def user_by_login(self, *, name_key: str | None = None, email: str | None = None) -> UserRecord | None:
        """One account by name or address, or fail as told."""
        self._fail_if_down()
        self.lookups += 1
        return await super().user_by_login(name_key=name_key, email=email)

    def _fail_if_down(self) -> None:
        if self.down:
            raise StorageUnavailable("down")
