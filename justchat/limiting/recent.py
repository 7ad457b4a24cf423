"""A bounded table of what belongs to a key: of more keys than it holds, the one used longest ago is forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, made when first asked for."""

    __slots__ = ("_make", "_most", "_values")

    def __init__(self, make: Callable[[], T], *, most: int) -> None:
        self._make = make
        self._most = most
        # {key: value}, the one used longest ago first
        self._values: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def of(self, key: str) -> T:
        """Give a key's value and take it for the one used last."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
            return value
        value = self._values[key] = self._make()
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return value
