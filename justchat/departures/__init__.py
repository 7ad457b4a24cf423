"""Accounts that go: what they leave behind in rooms is cleared up, room by room, and gone on with after a restart."""
