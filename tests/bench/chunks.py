"""Cutting a stream into chunks at arbitrary places, as a network does."""

from __future__ import annotations

from itertools import pairwise


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut `stream` at the places given, taken modulo its length; the chunks join to the stream again."""
    places = sorted({place % (len(stream) + 1) for place in cuts})
    bounds = [0, *places, len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]
