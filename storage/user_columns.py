"""The columns of `users`, which are named as the fields of UserRecord and stand in their order, in every database."""

from __future__ import annotations

from typing import Final

from storage.records import UserRecord

USER_COLUMNS: Final = ", ".join(UserRecord.__struct_fields__)

JOINED_USER_COLUMNS: Final = ", ".join(f"u.{column}" for column in UserRecord.__struct_fields__)
"""The same, of `users AS u`."""

REPLACE_USER: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}" for column in UserRecord.__struct_fields__ if column != "id"
)
"""What makes of an INSERT of all columns one that takes the place of the row with this id."""
