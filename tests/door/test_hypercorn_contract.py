"""What the door relies on in Hypercorn, Quart-Trio and trio-websocket, together with what it adds to them.

A new version of a library that behaves differently fails here.
"""

from __future__ import annotations

import inspect

import httpx
import pytest
import trio
import trio_websocket
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

from justchat.door.limits import DoorLimits
from tests.door.running import PATIENCE_SECONDS, NotUpgradedError, read_to_end, read_until, running, until

pytestmark = pytest.mark.real_clock

GET = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n"


def test_the_undocumented_names_have_the_signatures_we_call() -> None:
    """TCPServer, WorkerContext and trio-websocket's wrapper take what the door gives them."""
    assert list(inspect.signature(TCPServer).parameters) == ["app", "config", "context", "state", "stream"]
    assert list(inspect.signature(WorkerContext).parameters) == ["max_requests"]
    assert list(inspect.signature(trio_websocket.wrap_server_stream).parameters) == [
        "nursery",
        "stream",
        "message_queue_size",
        "max_message_size",
        "receive_buffer_size",
    ]


async def test_the_idle_timeout_fires_after_the_first_request_too() -> None:
    """An idle connection is closed after its keep-alive time, counted from the last response."""
    async with running(limits=DoorLimits(keep_alive_seconds=1.0)) as house:
        stream = await house.connect()
        async with stream:
            for _ in range(2):
                asked = trio.current_time()
                await stream.send_all(GET % b"hi")
                await read_until(stream, b"hi")
            with trio.fail_after(PATIENCE_SECONDS):
                assert await read_to_end(stream) == b""
            assert trio.current_time() - asked >= 1.0


async def test_keep_alive_serves_many_requests_on_one_connection() -> None:
    """Fifty requests, with and without bodies, one accept."""
    async with running() as house, httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http:
        for number in range(25):
            assert (await http.get("/hi")).text == "hi"
            assert (await http.post("/echo", content=b"%d" % number)).content == b"%d" % number
        assert house.door.statistics().accepted == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Two requests in one segment, two answers."""
    async with running() as house:
        post = b"POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 3\r\n\r\ntwo"
        answer = await house.ask(GET % b"hi" + post)
    assert answer.index(b"\r\n\r\nhi") < answer.index(b"\r\n\r\ntwo")


@pytest.mark.parametrize("size", [10, 150_000, 1_000_000])
async def test_an_early_answer_reaches_the_client_and_leaves_it_usable(size: int) -> None:
    """401 before the body is read, 413 for one too large: the answer arrives, and the next request is served."""
    limits = DoorLimits(linger_seconds=PATIENCE_SECONDS)
    async with running(limits=limits) as house, httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http:
        for path, status in (("/early", 401), ("/echo", 413 if size > 200_000 else 200), ("/missing", 404)):
            assert (await http.post(path, content=b"x" * size)).status_code == status
            try:
                answer = await http.get("/hi")
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # It took the connection again in the moment in which we closed it: it may, and takes another one then.
                answer = await http.get("/hi")
            assert answer.text == "hi"
        assert house.door.statistics().contained == 0


async def test_expect_continue_is_answered() -> None:
    """The interim response comes before the body."""
    async with running() as house:
        stream = await house.connect()
        async with stream:
            await stream.send_all(
                b"POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            )
            with trio.fail_after(PATIENCE_SECONDS):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
            await stream.send_all(b"body")
            await read_until(stream, b"body")


async def test_a_stuck_reader_is_cut_by_the_send_deadline() -> None:
    """A client that takes nothing of a download loses its connection, although the library shields its sends."""
    async with running(limits=DoorLimits(send_seconds=0.3)) as house:
        stream = await house.connect()
        async with stream:
            await stream.send_all(GET % b"big/50000000")
            await stream.receive_some(10)
            # Bytes of the answer have come, so it is being served or was cut already.
            await until(lambda: house.door.statistics().http == 0)


async def test_groups_from_a_handlers_nursery_are_a_500() -> None:
    """The answer comes, the connection stays usable, and nothing reaches the door."""
    async with running() as house, httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http:
        assert (await http.get("/group")).status_code == 500
        assert (await http.get("/hi")).status_code == 200
        assert house.door.statistics().contained == 0


async def test_a_body_with_broken_framing_is_refused_by_the_library() -> None:
    """The guard lets it go on, Hypercorn answers, nothing has to be contained."""
    async with running() as house:
        sent = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"
        with trio.fail_after(PATIENCE_SECONDS):
            assert (await house.ask(sent)).startswith(b"HTTP/1.1 400 ")
        await until(lambda: house.door.statistics().http == 0)
        assert house.door.statistics().contained == 0


async def test_whatever_the_library_raises_ends_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard around Hypercorn is active: a failure planted in it is counted, and the next client is served."""

    async def fail(_: TCPServer) -> None:
        raise UnicodeDecodeError("planted", b"", 0, 1, "in the library")

    async with running() as house:
        with monkeypatch.context() as patch:
            patch.setattr(TCPServer, "_read_data", fail)
            assert await house.ask(GET % b"hi") == b""
        assert house.door.statistics().contained == 1
        assert house.door.statistics().escaped == 0
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            assert (await http.get(f"{house.url}/hi")).text == "hi"


async def test_whatever_trio_websocket_raises_ends_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for its reader: a failure planted before and after the handshake."""

    async def fail(*_: object) -> None:
        raise LookupError("planted")

    async with running() as house:
        for method in ("_handle_request_event", "_handle_ping_event"):
            with monkeypatch.context() as patch:
                patch.setattr(trio_websocket.WebSocketConnection, method, fail)
                with trio.fail_after(PATIENCE_SECONDS):
                    if method == "_handle_ping_event":
                        stream = await house.upgrade(behind=b"\x89\x80\0\0\0\0")
                        await read_to_end(stream)
                        await stream.aclose()
                    else:
                        with pytest.raises(NotUpgradedError):
                            await house.upgrade()
        await until(lambda: house.door.statistics().websockets == 0)
        assert house.door.statistics().contained == 2
        assert house.door.statistics().escaped == 0


async def test_the_apps_lifespan_is_run_around_the_connections() -> None:
    """Start-up before the first request, shutdown after the last."""
    order: list[str] = []
    async with running() as house:

        @house.app.quart.after_serving
        async def after() -> None:
            order.append("after")

        assert (await house.ask(GET.replace(b"1.1", b"1.0") % b"hi")).endswith(b"hi")
        order.append("served")
        house.door.start_draining()
        assert await house.door.wait_closed(PATIENCE_SECONDS) == 0
    assert order == ["served", "after"]
