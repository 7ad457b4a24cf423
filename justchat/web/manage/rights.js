// What somebody may do to somebody else in a room. The server decides; this only leaves out what it would refuse.

import { roleWord } from "../happenings.js";

const RANKS = ["guest", "member", "moderator", "admin", "owner"];

/** True if `mine` stands high enough to act on `theirs`: above it, or both are owners. */
function standsAbove(mine, theirs) {
  return RANKS.indexOf(mine) > RANKS.indexOf(theirs) || (mine === "owner" && theirs === "owner");
}

/** The roles that I can give in a room, the highest first. */
export function rolesToGive(room) {
  const mine = RANKS.indexOf(room.info.me?.role);
  return room.may("roles.manage") ? RANKS.slice(0, mine + 1).reverse() : ["member"];
}

/**
 * What I can do to a member: {act, text, role?, danger?} each, empty for myself and for whoever stands too high. `muted`
 * tells whether they are muted, where that is known better than by the room.
 */
export function actsOn(room, { user, role }, me, muted = room.mutes?.some((mute) => mute.user.id === user.id)) {
  if (room.info.kind === "direct" || user.id === me.id || !standsAbove(room.info.me?.role, role)) return [];
  const found = [];
  if (room.may("roles.manage")) {
    for (const other of rolesToGive(room)) if (other !== role) found.push({ act: "role", role: other, text: `Make ${roleWord(other)}` });
  }
  if (room.may("members.mute")) found.push(muted ? { act: "unmute", text: "Let speak again" } : { act: "mute", text: "Mute…" });
  if (room.may("members.remove")) found.push({ act: "remove", text: "Take out of the room", danger: true });
  if (room.may("members.ban")) found.push({ act: "ban", text: "Ban…", danger: true });
  return found;
}
