"""Reading the schema files."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.migrations import load_migrations, read_migrations


def write(folder: Path, *names: str) -> None:
    """Make schema files."""
    for name in names:
        (folder / name).write_text(f"-- {name}\n")


def test_the_shipped_files_are_complete() -> None:
    """Every step of SQLite has a number, a name, and a way up and down."""
    steps = load_migrations("sqlite")
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert steps[0].name == "start"
    assert all("CREATE" in step.up or "ALTER" in step.up for step in steps)
    assert all(step.down for step in steps)


def test_steps_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Other files in the folder are none of its business."""
    write(tmp_path, "0002_b.up.sql", "0002_b.down.sql", "0001_a.up.sql", "0001_a.down.sql", "README.md", "3_c.up.sql")
    assert [(step.number, step.name) for step in read_migrations(tmp_path)] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("names", [("0002_b",), ("0001_a", "0003_c"), ("0001_a", "0001_b")])
def test_a_hole_or_a_repeat_in_the_numbers_is_noticed(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Two branches that both add step 7 do not merge silently."""
    for name in names:
        write(tmp_path, f"{name}.up.sql", f"{name}.down.sql")
    with pytest.raises(ValueError, match="not numbered"):
        read_migrations(tmp_path)


def test_a_step_without_its_way_back_is_noticed(tmp_path: Path) -> None:
    """Every step can be undone."""
    write(tmp_path, "0001_a.up.sql")
    with pytest.raises(ValueError, match=r"0001_a\.down\.sql is missing"):
        read_migrations(tmp_path)


def test_the_checksum_covers_both_directions_and_no_line_endings(tmp_path: Path) -> None:
    """An edit of either file shows; a checkout with other line endings does not."""
    write(tmp_path, "0001_a.up.sql", "0001_a.down.sql")
    (before,) = read_migrations(tmp_path)
    (tmp_path / "0001_a.up.sql").write_bytes(b"-- 0001_a.up.sql\r\n")
    assert read_migrations(tmp_path) == (before,)
    (tmp_path / "0001_a.down.sql").write_text("-- edited\n")
    (after,) = read_migrations(tmp_path)
    assert after.checksum != before.checksum
