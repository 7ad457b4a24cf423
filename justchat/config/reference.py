"""The settings for people: the reference page of the docs, and the listing of `justchat config --check`."""

from __future__ import annotations

from justchat.config.catalogue import SETTINGS, Setting, plain
from justchat.config.load import Effective
from justchat.config.rules import PROFILE_OVERRIDES
from justchat.config.settings import URL_SETTINGS
from justchat.config.values import accepted
from storage.url import without_password

_HEAD = """\
# Configuration

<!-- Made by `justchat config --reference`; do not edit by hand. -->

Every setting can be given in three ways, and the first that gives it wins:

1. a flag: `justchat serve --outbox-items 1024`
2. an environment variable: `JUSTCHAT_OUTBOX_ITEMS=1024` (an empty variable counts as unset; `PORT` is honoured below
   `JUSTCHAT_PORT`)
3. a TOML file named by `--config FILE` or `JUSTCHAT_CONFIG`: `outbox_items = 1024`

Below these lie what the profile changes and the defaults. In flags and variables a list is separated by commas. A key
that does not exist is an error, in all three places. `justchat config --check` prints what would be used and where it
comes from, or everything that is wrong.

Secrets (marked *secret*) are never printed and are not taken from the command line, which other users of the machine
can read. On Kubernetes a service that is itself called `justchat` makes the platform set `JUSTCHAT_PORT` and more such
variables; set `enableServiceLinks: false`.

| Setting | Default | Accepts | Meaning |
|---|---|---|---|
"""

_PRODUCTION = """
## Profile `production`

It refuses to start, naming every reason at once, when

- there is no signing key: neither `signing_key`, nor a key file that exists and only its owner can read (mode 0600);
- `bcrypt_cost` is less than 12;
- `allowed_origins` contains `*`;
- `database` is not given explicitly.
"""

_LOADTEST = """
## Profile `loadtest`

It lifts the rate limits, unless they are given explicitly:

| Setting | Value |
|---|---|
"""


def reference() -> str:
    """Render the reference page in Markdown."""
    rows = "".join(f"| {' | '.join(_cells(setting))} |\n" for setting in SETTINGS)
    lifted = "".join(f"| `{name}` | `{plain(value)}` |\n" for name, value in PROFILE_OVERRIDES["loadtest"].items())
    return _HEAD + rows + _PRODUCTION + _LOADTEST + lifted


def _cells(setting: Setting) -> tuple[str, str, str, str]:
    default = plain(setting.default)
    meaning = f"*secret* {setting.help}" if setting.secret else setting.help
    return f"`{setting.name}`", f"`{default}`" if default else "–", accepted(setting), meaning


def listing(effective: Effective) -> str:
    """Render the effective settings, one per line with its source; secrets show only whether they are set."""
    lines = []
    for setting in SETTINGS:
        value = getattr(effective.config, setting.name)
        shown = "(set, not shown)" if setting.secret and value is not None else plain(value)
        if setting.name in URL_SETTINGS:
            shown = without_password(shown)
        lines.append(f"{setting.name} = {shown or '(unset)'}  [{effective.sources[setting.name]}]")
    return "\n".join(lines)
