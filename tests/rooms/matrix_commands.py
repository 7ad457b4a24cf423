"""The command behind each row of the matrix."""

from __future__ import annotations

from justchat.rooms.commands import (
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    CreateInvite,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    EndMembership,
    EraseMessages,
    EraseReaction,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    MuteMember,
    PinMessage,
    PostMessage,
    React,
    RemoveMember,
    RevokeInvite,
    RoomCommand,
    SetPermissions,
    SetRole,
    TakeOver,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.permissions import Role, Visibility
from justchat.wire.events import SettingsChanges
from tests.rooms.scenes import ACTOR, BANNED, MUTED, NOBODY, NOW, POSTED, THUMB, USERS

_OTHER_VISIBILITY = {Visibility.PRIVATE: Visibility.PUBLIC, Visibility.PUBLIC: Visibility.PRIVATE}


def commands(visibility: Visibility) -> dict[str, RoomCommand]:
    """Give the command of each row, for a room of this visibility."""
    on_messages = _on_messages() | _on_what_hangs_on_messages()
    return _on_the_room(visibility) | _on_members() | _on_moderation() | on_messages | _for_the_server()


def _on_the_room(visibility: Visibility) -> dict[str, RoomCommand]:
    return {
        "rename": UpdateRoom(ACTOR, name="Coffee"),
        "same_name": UpdateRoom(ACTOR, name="Tea", topic="Cups", visibility=visibility, settings=SettingsChanges()),
        "turn_visibility": UpdateRoom(ACTOR, visibility=_OTHER_VISIBILITY[visibility]),
        "slow_mode": UpdateRoom(ACTOR, settings=SettingsChanges(slow_mode_seconds=5)),
        "archive": ArchiveRoom(ACTOR, archived=True),
        "take_up": ArchiveRoom(ACTOR, archived=False),
        "permissions": SetPermissions(ACTOR, {Role.GUEST: {"reactions.add": True}}),
        "no_permissions": SetPermissions(ACTOR, {Role.GUEST: {"reactions.add": None}}),
        "delete_room": DeleteRoom(ACTOR),
        "trim": TrimHistory(ACTOR, 3),
    }


def _on_members() -> dict[str, RoomCommand]:
    member = USERS[Role.MEMBER]
    return {
        "join": JoinRoom(ACTOR),
        "join_invited": JoinRoom(ACTOR, "i_open"),
        "join_uninvited": JoinRoom(ACTOR, "i_none"),
        "leave": LeaveRoom(ACTOR),
        **{f"add_{role}": AddMember(ACTOR, NOBODY, role) for role in Role},
        "add_present": AddMember(ACTOR, member),
        "add_banned": AddMember(ACTOR, BANNED),
        **{f"remove_{role}": RemoveMember(ACTOR, user) for role, user in USERS.items()},
        "remove_nobody": RemoveMember(ACTOR, NOBODY),
        "remove_self": RemoveMember(ACTOR, ACTOR),
        "role_of_member": SetRole(ACTOR, member, Role.MODERATOR),
        "role_of_nobody": SetRole(ACTOR, NOBODY, Role.MEMBER),
    }


def _on_moderation() -> dict[str, RoomCommand]:
    return {
        **{f"ban_{role}": BanMember(ACTOR, user, "spam") for role, user in USERS.items()},
        "ban_nobody": BanMember(ACTOR, NOBODY),
        "ban_again": BanMember(ACTOR, BANNED),
        "ban_self": BanMember(ACTOR, ACTOR),
        "unban": UnbanMember(ACTOR, BANNED),
        "unban_nobody": UnbanMember(ACTOR, NOBODY),
        **{f"mute_{role}": MuteMember(ACTOR, user, NOW + 60_000, "spam") for role, user in USERS.items()},
        "mute_nobody": MuteMember(ACTOR, NOBODY),
        "mute_again": MuteMember(ACTOR, MUTED),
        "mute_self": MuteMember(ACTOR, ACTOR),
        "mute_in_the_past": MuteMember(ACTOR, USERS[Role.GUEST], NOW),
        "unmute": UnmuteMember(ACTOR, MUTED),
        "unmute_member": UnmuteMember(ACTOR, USERS[Role.MEMBER]),
        **{f"invite_{role}": CreateInvite(ACTOR, "i_new", role, NOW + 60_000, 3) for role in Role},
        "invite_again": CreateInvite(ACTOR, "i_open"),
        "invite_too_late": CreateInvite(ACTOR, "i_new", expires_at=NOW),
        "revoke": RevokeInvite(ACTOR, "i_open"),
        "revoke_none": RevokeInvite(ACTOR, "i_none"),
    }


def _post(reply_to: str | None = None, thread_root: str | None = None) -> PostMessage:
    return PostMessage(ACTOR, "new", "words", b"d", reply_to, thread_root)


def _on_messages() -> dict[str, RoomCommand]:
    return {
        "post": _post(),
        "reply": _post("m_other"),
        "reply_to_gone": _post("m_other_gone"),
        "reply_to_unknown": _post("m_unknown"),
        "in_thread": _post(thread_root="m_other"),
        "in_no_thread": _post(thread_root="m_unknown"),
        "post_again": PostMessage(ACTOR, POSTED[0], "words", POSTED[1]),
        "post_other": PostMessage(ACTOR, POSTED[0], "other words", b"other"),
        "edit_own": EditMessage(ACTOR, "m_own", "new words", 1),
        "edit_other": EditMessage(ACTOR, "m_other", "new words"),
        "edit_same": EditMessage(ACTOR, "m_own", "words", 7),
        "edit_stale": EditMessage(ACTOR, "m_own", "new words", 7),
        "edit_gone": EditMessage(ACTOR, "m_own_gone", "new words"),
        "edit_unknown": EditMessage(ACTOR, "m_unknown", "new words"),
        "delete_own": DeleteMessage(ACTOR, "m_own"),
        "delete_other": DeleteMessage(ACTOR, "m_other"),
        "delete_own_gone": DeleteMessage(ACTOR, "m_own_gone"),
        "delete_gone": DeleteMessage(ACTOR, "m_other_gone"),
        "delete_unknown": DeleteMessage(ACTOR, "m_unknown"),
        "bulk_own": BulkDelete(ACTOR, ("m_own",)),
        "bulk_mixed": BulkDelete(ACTOR, ("m_own", "m_reply", "m_own", "m_own_gone")),
        "bulk_gone": BulkDelete(ACTOR, ("m_own_gone", "m_other_gone")),
        "bulk_unknown": BulkDelete(ACTOR, ("m_own", "m_unknown")),
        "bulk_none": BulkDelete(ACTOR, ()),
        "expire": ExpireMessage(ACTOR, "m_own"),
    }


def _on_what_hangs_on_messages() -> dict[str, RoomCommand]:
    return {
        "react": React(ACTOR, "m_own", THUMB),
        "react_again": React(ACTOR, "m_other", THUMB),
        "react_to_gone": React(ACTOR, "m_other_gone", THUMB),
        "unreact": Unreact(ACTOR, "m_other", THUMB),
        "unreact_none": Unreact(ACTOR, "m_own", THUMB),
        "pin": PinMessage(ACTOR, "m_own"),
        "pin_again": PinMessage(ACTOR, "m_pinned"),
        "pin_gone": PinMessage(ACTOR, "m_own_gone"),
        "pin_unknown": PinMessage(ACTOR, "m_unknown"),
        "unpin": UnpinMessage(ACTOR, "m_pinned"),
        "unpin_none": UnpinMessage(ACTOR, "m_own"),
    }


def _for_the_server() -> dict[str, RoomCommand]:
    return {
        "end_membership": EndMembership(ACTOR, USERS[Role.MEMBER], ()),
        "take_over": TakeOver(ACTOR, ACTOR, ACTOR),
        "erase_messages": EraseMessages(ACTOR, ACTOR, ("m_own",)),
        "erase_reaction": EraseReaction(ACTOR, ACTOR, "m_other", THUMB),
    }
