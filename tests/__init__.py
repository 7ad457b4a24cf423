"""The project's tests, a package all the way down so that `import storage` never finds a folder of tests.

Property tests run on two Hypothesis profiles. `repeatable`, the one in force unless another is asked for, draws the
same examples every time and knows no deadline, so that a busy machine fails nobody. `search` is for a long look with
fresh examples: `python -m pytest -p tests --hypothesis-profile=search tests/wire tests/rooms` (`-p tests` loads this
file early enough for the option to know the name). Hypothesis has a profile of its own where it sees that it runs in
CI, which draws other and more examples: that is not asked for, and CI runs what everybody runs.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=30)
settings.register_profile("search", deadline=None, max_examples=2_000, stateful_step_count=50)
if settings.get_current_profile_name() in {"default", "ci"}:
    settings.load_profile("repeatable")
