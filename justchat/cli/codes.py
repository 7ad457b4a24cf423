"""Exit codes of the command.

2 is usage, which includes a configuration that `serve` cannot start with; `config --check` answers 1 to a bad one.
"""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130
