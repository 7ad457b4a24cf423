"""A server in its own process with REST at hand, with or without faults on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.api import Api, api_of
from tests.faults.switches import Switches
from tests.support.server import ServerProcess, running_server


class Rig:
    """What a fault test holds; the server may be stopped and started again."""

    def __init__(self, server: ServerProcess, api: Api, switches: Switches) -> None:
        self.server = server
        self.api = api
        self.switches = switches

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.server.port


@contextmanager
def faulty_rig(folder: Path, **settings: object) -> Iterator[Rig]:
    """Run a server that breaks as its switches say; limits on rates are lifted unless set."""
    switches = Switches(folder / "switches")
    settings = {"profile": "loadtest", "switches": switches.folder, **settings}
    with running_server(folder, module="tests.faults.faulty_server", **settings) as server, api_of(server) as api:
        yield Rig(server, api, switches)


@contextmanager
def plain_rig(folder: Path, **settings: object) -> Iterator[Rig]:
    """Run the product's own server, as `python -m justchat serve` does; its switches do nothing."""
    with running_server(folder, module="justchat", **settings) as server, api_of(server) as api:
        yield Rig(server, api, Switches(folder / "switches"))
