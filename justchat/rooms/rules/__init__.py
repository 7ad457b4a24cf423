"""The rules of a room, by what they are about: each takes a state and a command, and gives a decision. Pure."""
