"""How routes about a room begin: who may, as of which seq, and which page of a list they want.

A room that the caller may not know of is refused here as one that is not there, before anything else about it is said.
A room is waited for until it has come to `min_seq`. Lists are made of rows, which may be behind their journal for a
moment where the two are in different databases: then `min_seq` is refused, and may be asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from justchat.accounts.appearance import user_view
from justchat.config import Config
from justchat.http.answers import TEXT_MAX_CHARACTERS, PageAsk, Refused, granted, read_number, read_page
from justchat.http.operation import Query
from justchat.rooms.commands import Accepted, Command
from justchat.rooms.kept_commands import KeptCommand
from justchat.rooms.permissions import Permission
from justchat.rooms.queries import Access
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.server_frames import RoomView, UserView
from storage.records import UserRecord

# What routes may refuse that show a room, that show what takes a permission, and that change something in it.
SHOW_REFUSALS: Final = (ErrorCode.NOT_FOUND, ErrorCode.SEQ_UNAVAILABLE)
GUARDED_REFUSALS: Final = (*SHOW_REFUSALS, ErrorCode.FORBIDDEN, ErrorCode.NOT_A_MEMBER)
CHANGE_REFUSALS: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_A_MEMBER,
    ErrorCode.BANNED,
    ErrorCode.CONFLICT,
)
GUEST_MEMBER: Final = Refusal(ErrorCode.CONFLICT, "this account is a guest's, and guests are members of no room")

_SEQ_MAX: Final = 2**53 - 1
_ROWS_BEHIND: Final = Refusal(ErrorCode.SEQ_UNAVAILABLE, "lists are not that far yet; ask again", (), 0.5)

MIN_SEQ: Final = Query(
    "min_seq", Annotated[int, Meta(ge=0, le=_SEQ_MAX)], "Answer only if the room has come to this seq: read your writes"
)


def page_queries(config: Config) -> tuple[Query, Query]:
    """Describe what `read_page` reads."""
    limit = Annotated[int, Meta(ge=1, le=config.history_page_max)]
    return (
        Query("cursor", Annotated[str, Meta(max_length=TEXT_MAX_CHARACTERS)], "`next_cursor` of the page before"),
        Query("limit", limit, f"How many items at most; {config.history_page_default} where it is not said"),
    )


def read_min_seq() -> int | None:
    """Read `min_seq` of the query string. Raises Refused."""
    return read_number(MIN_SEQ.name, low=0, high=_SEQ_MAX)


class RoomAccess:
    """Access to rooms, and to the people in lists, for one caller at a time."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory

    async def post(self, room: str, command: Command | KeptCommand) -> Accepted:
        """Have a command decided and committed. Raises Refused."""
        return granted(await self._system.rooms.room(room).post(command))

    async def view(self, caller: UserRecord, room: str) -> RoomView:
        """Look at the room as the caller, as of `min_seq`. Raises Refused."""
        return granted(await self._system.rooms.room(room).view(caller.id, min_seq=read_min_seq()))

    async def look(self, caller: UserRecord, room: str, *, needs: Permission | None = None) -> Access:
        """Let the caller read rows of the room that are as of `min_seq`. Raises Refused."""
        min_seq = read_min_seq()
        access = granted(await self._system.rooms.room(room).look(caller.id, min_seq=min_seq))
        refusal = None if needs is None else access.missing(needs)
        if refusal:
            raise Refused(refusal)
        if min_seq is not None:
            row = await self._directory.room(room)
            if row is None or row.applied_seq < min_seq:
                raise Refused(_ROWS_BEHIND)
        return access

    async def users(self, ids: Iterable[str]) -> dict[str, UserView]:
        """Give users as everybody may see them, by id."""
        wanted = list(dict.fromkeys(ids))
        return {user.id: user_view(user) for user in await self._directory.users(ids=wanted)} if wanted else {}

    def read_page(self) -> PageAsk:
        """Read which page is asked for. Raises Refused."""
        config = self._system.config
        return read_page(default=config.history_page_default, most=config.history_page_max)
