"""Logging: one line per event, for people or for machines. Bodies and tokens are never handed to it."""

from __future__ import annotations

import json
import logging
import sys

from justchat.config import Config


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
