"""Logins at a steady pace over plain HTTP, each on a connection of its own, and what they were answered."""

from __future__ import annotations

import http.client
import threading
import time

import msgspec

from bench.connection import HOST

_SECONDS = 30.0


class Logins:
    """An open loop: a login begins when its time has come, whether the ones before were answered or not."""

    def __init__(self, port: int, *, username: str, password: str, per_second: float) -> None:
        self._port = port
        self._body = msgspec.json.encode({"username": username, "password": password})
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._pacer = threading.Thread(target=self._pace)
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.answers: dict[int, int] = {}
        self.ms: list[float] = []

    def start(self) -> None:
        """Begin."""
        self._pacer.start()

    def stop(self) -> None:
        """Begin no more, and wait for those under way."""
        self._over.set()
        self._pacer.join()
        for thread in self._threads:
            thread.join()

    def _pace(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            thread = threading.Thread(target=self._login)
            self._threads.append(thread)
            thread.start()
            due += self._pause

    def _login(self) -> None:
        began = time.perf_counter()
        client = http.client.HTTPConnection(HOST, self._port, timeout=_SECONDS)
        try:
            client.request("POST", "/api/v1/auth/login", self._body, {"Content-Type": "application/json"})
            status = client.getresponse().status
        except OSError:
            status = 0
        finally:
            client.close()
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1
            self.ms.append((time.perf_counter() - began) * 1e3)
