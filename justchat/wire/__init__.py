"""The protocol as types: client frames, server frames, events, errors and close codes. Pure: imports no Trio."""
