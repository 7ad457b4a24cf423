"""Contacts and blocks over REST: whom one knows, whom one does not want to hear from. Reached as `rest.contacts`."""

from __future__ import annotations

from justchat.client.rest_answers import Block, Contact, PageOf
from justchat.client.rest_requests import Requests, query_of, quoted


class Contacts:
    """What others are to the caller. Users are named by id."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def many(self, *, cursor: str | None = None) -> PageOf[Contact]:
        """List contacts, and who has asked whom."""
        return await self._requests.call("GET", "/users/me/contacts", PageOf[Contact], query=query_of(cursor=cursor))

    async def one(self, user: str) -> Contact:
        """Look at what somebody is to the caller."""
        return await self._requests.call("GET", f"/users/me/contacts/{quoted(user)}", Contact)

    async def ask(self, user: str) -> Contact:
        """Ask somebody to be a contact, or accept what they asked; harmless if it is so already."""
        return await self._requests.call("PUT", f"/users/me/contacts/{quoted(user)}", Contact)

    async def end(self, user: str) -> None:
        """Be contacts no longer, take a request back, or reject one."""
        await self._requests.do("DELETE", f"/users/me/contacts/{quoted(user)}")

    async def block(self, user: str) -> None:
        """Hear no more from somebody: no direct messages, no mentions, no contact."""
        await self._requests.do("PUT", f"/users/me/blocks/{quoted(user)}")

    async def unblock(self, user: str) -> None:
        """Lift a block."""
        await self._requests.do("DELETE", f"/users/me/blocks/{quoted(user)}")

    async def blocks(self, *, cursor: str | None = None) -> PageOf[Block]:
        """List whom the caller blocks."""
        return await self._requests.call("GET", "/users/me/blocks", PageOf[Block], query=query_of(cursor=cursor))
