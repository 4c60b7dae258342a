"""Timestamps of records as microseconds since the epoch, thousands at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from k8s_tuning.errors import InputError
from k8s_tuning.queries.columns import Ints
from k8s_tuning.timestamps import to_datetime, to_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
OLDEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
NEWEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
# Stands for a timestamp that is none; no time is as old.
NO_TIME = np.iinfo(np.int64).min
_SECOND = 1_000_000

# 2025-11-16T10:00:00Z: the form that this package writes.
_PLAIN = np.frombuffer(b"0000-00-00T00:00:00Z", np.uint8)
_DIGITS = np.equal(_PLAIN, ord("0"))


def read(timestamps: Sequence[str]) -> Ints:
    """Any RFC 3339; NO_TIME for what is not. A fraction past the microsecond is cut off."""
    plain = _read_plain(timestamps)
    return np.array([of_text(text) for text in timestamps], np.int64) if plain is None else plain


def of_text(text: str) -> int:
    """One timestamp; NO_TIME for what is none."""
    try:
        return (to_datetime(text) - _EPOCH) // _MICROSECOND
    except InputError:
        return NO_TIME


def of_seconds(name: str, seconds: float) -> int:
    """Seconds since the epoch, at most as far as the years 1 and 9999; InputError where that is no number."""
    if math.isnan(seconds):
        raise InputError(f"{name}: not a time; give seconds since 1970-01-01T00:00:00Z")
    # Within the limits twice: infinity is no integer, and so large a float is only near one.
    near = min(max(seconds, OLDEST / _SECOND), NEWEST / _SECOND)
    return min(max(round(near * _SECOND), OLDEST), NEWEST)


def text(at: int) -> str:
    """As every timestamp in this package is written: to the second."""
    return to_text(_EPOCH + timedelta(microseconds=int(at)))


def texts(at: Ints) -> list[str]:
    """`text` of many."""
    plain = np.datetime_as_string((at // _SECOND).astype("M8[s]"))
    return [f"{one}Z" for one in plain.tolist()]


def _read_plain(timestamps: Sequence[str]) -> Ints | None:
    """The same for the plain form alone, a hundred times as fast; None where any has another."""
    if set(map(len, timestamps)) != {len(_PLAIN)}:
        return None
    joined = "".join(timestamps)
    if not joined.isascii():
        return None
    letters = np.frombuffer(joined.encode(), np.uint8).reshape(-1, len(_PLAIN))
    digits = letters[:, _DIGITS] - ord("0")
    if (digits > 9).any() or (letters[:, ~_DIGITS] != _PLAIN[~_DIGITS]).any():
        return None
    try:
        seconds = np.ascontiguousarray(letters[:, :-1]).view("S19").ravel().astype("M8[s]").astype(np.int64)
    except ValueError:  # a 31st of February
        return None
    # numpy knows a year 0.
    return seconds * _SECOND if seconds.min() * _SECOND >= OLDEST else None
