"""Logging: one line per event, for people or for machines. Bodies and tokens are never handed to it."""

from __future__ import annotations

import json
import logging
import re
import sys

from justchat.config import Config

logger = logging.getLogger(__name__)

# What a message says of these is a field of its own in JSON, so that lines can be found by it.
_FIELDS = {
    "request_id": re.compile(r"\brequest_id=([A-Za-z0-9._-]+)"),
    "user_id": re.compile(r"\buser=(u_[0-9a-f]{32})\b"),
    "room_id": re.compile(r"\b(?:room=|actor=room )(r_[0-9a-f]{32})\b"),
}


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line = {
            "ts": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, pattern in _FIELDS.items():
            if found := pattern.search(line["event"]):
                line[name] = found[1]
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(config: Config) -> None:
    """Log to standard error as configured."""
    handler = logging.StreamHandler(sys.stderr)
    if config.log_format == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    # What every request did is the product's own log; the libraries speak up when something is wrong.
    for name in ("hypercorn", "trio-websocket", "quart"):
        logging.getLogger(name).setLevel(logging.WARNING)


def toggle_debug(config: Config) -> None:
    """Log everything from now on, or what is configured if everything is logged."""
    level = config.log_level if logging.root.level == logging.DEBUG else "debug"
    logging.root.setLevel(level.upper())
    logger.warning("event=log_level_changed level=%s", level)
