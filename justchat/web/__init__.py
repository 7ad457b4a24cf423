"""The chat page: static files without a build step, served at `/` and `/assets`.

`index.html` holds the whole markup; `app.js` puts the ES modules together. Below it, `chat.js` is the chat without a
pixel (rooms, frames, unsent messages, one connection), and the other modules draw it; `account/` is what people do with
their own account. Nothing is loaded from elsewhere, and data becomes text nodes only: the page runs under a policy
without inline script or style.
"""
