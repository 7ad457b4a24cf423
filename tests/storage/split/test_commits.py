"""Numbers of commits, and the mark below which everything is projected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.split.commits import Commits


def commits(*times: int, mark: int = 0) -> Commits:
    """Make commits by a clock that says these times, and the last one for ever."""
    left = list(times)
    return Commits(now=lambda: left.pop(0) if len(left) > 1 else left[0], mark=mark)


def test_a_number_is_the_time_or_one_more() -> None:
    """Also where the clock stands still or goes backwards, and after a process whose clock was ahead."""
    counted = commits(100, 100, 50, 300)
    assert [counted.begin() for _ in range(4)] == [100, 101, 102, 300]
    assert commits(100, mark=500).begin() == 501


def test_the_mark_stays_below_what_is_not_projected() -> None:
    """An open commit, one that is behind and a held room each hold it up."""
    counted = commits(10, 20, 30, 40, mark=5)
    assert counted.mark(behind=None) == 5
    first, second, third = counted.begin(), counted.begin(), counted.begin()
    assert counted.mark(behind=None) == 9
    assert counted.mark(behind=None, ending=first) == 19
    counted.end(second)
    assert counted.mark(behind=None) == 9
    counted.end(first)
    assert counted.mark(behind=None) == 29
    assert counted.mark(behind=None, ending=third) == 30
    assert counted.mark(behind=15, ending=third) == 14
    counted.end(third)
    counted.hold("r_1", 20)
    counted.hold("r_1", 30)
    counted.hold("r_2", 25)
    assert (counted.mark(behind=None), counted.held) == (19, 2)
    counted.release("r_1")
    assert counted.mark(behind=None) == 24
    counted.release("r_2")
    counted.release("r_2")
    assert counted.mark(behind=None) == 30


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(("begin", "end", "hold", "release")), st.integers(0, 5), st.integers(-3, 5)),
        max_size=30,
    )
)
def test_the_mark_never_passes_a_commit_that_is_open_or_held(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order."""
    time = 100
    counted = Commits(now=lambda: time, mark=90)
    begun: list[int] = []
    pending: set[int] = set()
    held: dict[str, int] = {}
    for step, number, jump in steps:
        time += jump
        commit = begun[number % len(begun)] if begun else None
        if step == "begin":
            begun.append(counted.begin())
            pending.add(begun[-1])
        elif commit is not None and step == "end":
            counted.end(commit)
            pending.discard(commit)
        elif commit is not None and step == "hold":
            counted.hold(f"r_{number}", commit)
            held[f"r_{number}"] = min(commit, held.get(f"r_{number}", commit))
        elif step == "release":
            counted.release(f"r_{number}")
            held.pop(f"r_{number}", None)
        assert begun == sorted(set(begun))
        assert all(counted.mark(behind=None) < commit for commit in (*pending, *held.values()))
        if not pending and not held:
            assert counted.mark(behind=None) == (begun[-1] if begun else 90)
