"""The front door: REST and WebSocket on one port, every connection bounded in time and memory and contained.

`front_door` accepts and decides, `head` judges request heads, `replay_stream` and `hypercorn_adapter` serve HTTP,
`frame_stream` and `socket` serve WebSockets, `frames` builds frames. Only this package knows Hypercorn and trio-
websocket.
"""
