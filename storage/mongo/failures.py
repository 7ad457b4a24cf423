"""What the driver's errors mean for the caller: was it written, may it be tried again, is the value to blame."""

from __future__ import annotations

from bson.errors import BSONError, InvalidDocument, InvalidStringData
from msgspec import ValidationError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable, Unstorable

DUPLICATE_KEY = 11000
_UNTRIED = ("RetryableError", "SystemOverloadedError")  # together they say: it never reached a server that would do it
_LONGEST = 200


def read_failure(error: Exception) -> StorageError | None:
    """Return what to raise for an error of a read, or of a write that may be repeated; None to let it be."""
    match error:
        case UnicodeEncodeError() | OverflowError() | InvalidDocument() | InvalidStringData():
            return Unstorable(f"a value cannot be stored: {type(error).__name__}")
        case ValidationError():
            return StorageUnavailable(f"a stored document cannot be read: {error}")
        case PyMongoError() | BSONError():
            return StorageUnavailable(f"MongoDB: {in_short(error)}")
    return None


def insert_failure(error: Exception, *, written: bool) -> StorageError | None:
    """Return what to raise for an error of an insert; None to let it be.

    `written` tells whether something of the same append is in the store by now, which then is cut in half. Only what is
    known not to have been done counts as not done.
    """
    failure = read_failure(error)
    if failure is None or (not written and (isinstance(failure, Unstorable) or _is_undone(error))):
        return failure
    return OutcomeUnknown(f"the insert was cut off: {in_short(error)}")


def in_short(error: Exception) -> str:
    """Say what happened in one line; the driver's own text may describe the whole topology."""
    text = str(error).partition("\n")[0].partition(", Timeout:")[0].partition(" (configured timeouts:")[0]
    return f"{text[:_LONGEST]} ({type(error).__name__})"


def _is_undone(error: Exception) -> bool:
    match error:
        case ServerSelectionTimeoutError() | WaitQueueTimeoutError() | InvalidOperation() | ConfigurationError():
            return True
        case BulkWriteError(details=details):
            # The server's own word for what it did, unless it is about what other servers did.
            return not details.get("nInserted") and not details.get("writeConcernErrors")
        case PyMongoError() if all(error.has_error_label(label) for label in _UNTRIED):
            return True
        case OperationFailure(code=code):
            return code in _REFUSALS
    return False


# Unauthorized, AuthenticationFailed, BadValue (such as a journal that is not there), FailedToParse, CommandNotFound.
_REFUSALS = frozenset((13, 18, 2, 9, 59))
