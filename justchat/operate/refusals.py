"""Why an operator's command does not do what it was asked for, in one line each."""

from __future__ import annotations


class OperationRefused(Exception):
    """Root of the refusals; the message is for people, says what to do and never holds a password."""


class NoSite(OperationRefused):
    """There is no site where one was expected."""


class NoSuchRoom(OperationRefused):
    """The site has no such room."""


class CopyUnfinished(OperationRefused):
    """The store is only partly there: a copy into it was begun and not finished."""


class CopyRefused(OperationRefused):
    """The copy cannot be made, or not be gone on with."""


class CopyDiffers(OperationRefused):
    """Source and target are not the same after the copy."""
