"""Not broken: run in the same way as the broken ones, to show that what they are caught by is their fault alone."""

from __future__ import annotations

import sys

from justchat.rooms.room_actor import RoomActor
from tests.faults.broken.serving import serve

if __name__ == "__main__":
    sys.exit(serve(RoomActor))
