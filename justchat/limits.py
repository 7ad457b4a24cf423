"""From the configuration to the limits of each part: the one place where their names meet."""

from __future__ import annotations

from justchat.config import Config, connection_limit, open_files_allowed
from justchat.connections.services import ConnectionLimits
from justchat.door.limits import DoorLimits
from justchat.rooms.room_actor import RoomLimits
from justchat.wire.server_frames import Limits
from storage.directory_actor import DirectoryLimits
from storage.journal_actor import JournalLimits
from storage.open import StorageLimits

_ANSWER_SECONDS = 1.0


def room_limits(config: Config) -> RoomLimits:
    """Bounds of every room."""
    return RoomLimits(
        inbox=config.room_inbox,
        batch=config.room_batch,
        idle_seconds=config.room_idle_seconds,
        load_seconds=config.storage_deadline_seconds,
        ring_entries=config.ring_entries,
        # As far ahead as the timekeeper looks: who is woken for a timer stays awake for it.
        timer_seconds=2 * config.timekeeper_seconds,
        command_rate=config.room_rate,
    )


def storage_limits(config: Config) -> StorageLimits:
    """Bounds of the storage actors."""
    seconds = config.storage_deadline_seconds
    return StorageLimits(
        journal=JournalLimits(deadline_seconds=seconds), directory=DirectoryLimits(deadline_seconds=seconds)
    )


def connection_limits(config: Config) -> ConnectionLimits:
    """Bounds of every connection."""
    return ConnectionLimits(
        subscriptions=config.subscriptions_max,
        sockets_per_user=config.sockets_per_user,
        command_rate=config.command_rate,
        command_burst=config.command_burst,
        user_command_rate=config.user_command_rate,
        # As long a burst as one connection has at its default.
        user_command_burst=max(1, round(2 * config.user_command_rate)),
        heartbeat_seconds=config.heartbeat_seconds,
        pong_seconds=config.pong_seconds,
        hello_seconds=config.hello_seconds,
        stall_seconds=config.stall_seconds,
        answer_seconds=config.ask_seconds,
        body_characters=config.body_max_characters,
        history=config.history_page_default,
        history_max=config.history_page_max,
        catch_up_page=config.catch_up_page,
    )


def public_limits(config: Config) -> Limits:
    """What `welcome` tells clients."""
    return Limits(
        body_max_characters=config.body_max_characters,
        frame_max_bytes=config.frame_max_bytes,
        history_page_max=config.history_page_max,
        subscriptions_max=config.subscriptions_max,
        commands_per_second=config.command_rate,
        command_burst=config.command_burst,
        outbox_items=config.outbox_items,
        outbox_bytes=config.outbox_bytes,
    )


def door_limits(config: Config) -> DoorLimits:
    """Bounds of the front door."""
    return DoorLimits(
        head_seconds=config.head_seconds,
        keep_alive_seconds=config.keep_alive_seconds,
        # A little longer than the app gives it, so that the app gets to say what was wrong.
        body_read_seconds=config.body_read_seconds + _ANSWER_SECONDS,
        send_seconds=config.send_seconds,
        message_bytes=config.frame_max_bytes,
        outbox_items=config.outbox_items,
        outbox_bytes=config.outbox_bytes,
        max_connections=connection_limit(config, open_files=open_files_allowed()),
    )
