"""Rooms: the pure rules (state, decide, project, draft) and the actor that serialises what happens in one room."""
