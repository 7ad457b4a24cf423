"""What an error of the driver means for an append."""

from __future__ import annotations

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from storage.errors import OutcomeUnknown, StorageUnavailable, Unstorable
from storage.mongo.failures import in_short, insert_failure, read_failure


def a_refusal(*, inserted: int = 0, concern: bool = False) -> BulkWriteError:
    """Make what a server says that took some documents of an insert."""
    concerns = [{"code": 64, "errmsg": "waiting for replication timed out"}] if concern else []
    problem = {"index": inserted, "code": 121, "errmsg": "failed validation"}
    return BulkWriteError({"writeErrors": [problem], "writeConcernErrors": concerns, "nInserted": inserted})


def never_sent() -> PyMongoError:
    """Make the error of a connection that could not be made."""
    error = AutoReconnect("127.0.0.1:1: [Errno 111] Connection refused")
    error._add_error_label("SystemOverloadedError")
    error._add_error_label("RetryableError")
    return error


UNDONE = (
    ServerSelectionTimeoutError("no server"),
    WaitQueueTimeoutError("no connection"),
    InvalidOperation("closed"),
    OperationFailure("not authorized", 13),
    OperationFailure("cannot use 'j' option", 2),
    a_refusal(),
    never_sent(),
)
IN_DOUBT = (
    AutoReconnect("connection closed"),
    NetworkTimeout("timed out"),
    NotPrimaryError("not primary"),
    ExecutionTimeout("operation exceeded time limit", 50),
    OperationFailure("interrupted at shutdown", 11600),
    a_refusal(inserted=1),
    a_refusal(concern=True),
)


def name(error: Exception) -> str:
    """Name a case."""
    return f"{type(error).__name__}-{getattr(error, 'code', '')}"


@pytest.mark.parametrize("error", UNDONE, ids=name)
def test_what_is_known_not_to_be_done_may_be_tried_again(error: Exception) -> None:
    """Unless something of the same append was written before: then it is cut in half."""
    assert type(insert_failure(error, written=False)) is StorageUnavailable
    assert type(insert_failure(error, written=True)) is OutcomeUnknown


@pytest.mark.parametrize("error", IN_DOUBT, ids=name)
def test_everything_else_is_of_unknown_outcome(error: Exception) -> None:
    """A false "not written" would make a client send twice."""
    assert type(insert_failure(error, written=False)) is OutcomeUnknown
    assert type(insert_failure(error, written=True)) is OutcomeUnknown


@pytest.mark.parametrize("error", [*UNDONE, *IN_DOUBT], ids=name)
def test_a_read_that_fails_is_unavailable(error: Exception) -> None:
    """A read leaves nothing behind."""
    assert type(read_failure(error)) is StorageUnavailable


@pytest.mark.parametrize("error", [OverflowError(), InvalidDocument("too large")], ids=name)
def test_a_value_is_told_apart_from_a_server_that_does_not_work(error: Exception) -> None:
    """It fails alike on every retry; but an append of which something is written is in doubt before all."""
    assert type(read_failure(error)) is Unstorable
    assert type(insert_failure(error, written=False)) is Unstorable
    assert type(insert_failure(error, written=True)) is OutcomeUnknown


def test_a_bug_is_nothing_to_translate() -> None:
    """It crashes who made it."""
    assert read_failure(KeyError("x")) is None
    assert insert_failure(KeyError("x"), written=True) is None


def test_what_happened_is_told_in_one_line() -> None:
    """The driver describes the whole topology; a log line or a refusal is no place for that."""
    error = ServerSelectionTimeoutError(
        "a:1: refused (configured timeouts: x: 1ms), Timeout: 3.0s, Topology Description: <TopologyDescription …>"
    )
    assert in_short(error) == "a:1: refused (ServerSelectionTimeoutError)"
    assert len(in_short(PyMongoError("x" * 5000 + "\nmore"))) < 300
