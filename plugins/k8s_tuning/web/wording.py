"""Values as a reader sees them: times, lengths of time, numbers, and text from outside. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from babel.numbers import format_decimal
from babel.units import format_unit
from markupsafe import Markup

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.printable import visible

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def finalized(value: Any) -> Any:
    """What Jinja writes for a value: None as nothing, all text `visible`; markup of our own templates stays markup."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return Markup(visible(str(value)))  # noqa: S704  # it was markup before, and the pictures have no < or &
    return visible(value) if isinstance(value, str) else value


def stamp(text: str) -> str:
    """`2025-11-16 10:00:00 UTC`; a text that is no timestamp as it stands."""
    try:
        return timestamps.to_datetime(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except InputError:
        return text


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as a timestamp."""
    return timestamps.to_text(datetime.fromtimestamp(seconds, UTC))


def length(seconds: float, language: str, most: int = 2) -> str:
    """A length of time in its `most` largest units: `1 hr 23 min`, `45 sec`; below a second `0.4 sec`."""
    if 0 < seconds < 1:
        return str(format_unit(round(seconds, 1), "duration-second", "short", locale=language))
    rest = int(max(seconds, 0))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or (unit == "second" and not parts):
            parts.append(str(format_unit(count, f"duration-{unit}", "short", locale=language)))
        elif parts:
            break
    return " ".join(parts[:most])


def number(value: float, language: str) -> str:
    """With the language's separators: `1,000,000`."""
    return str(format_decimal(value, locale=language))


def parameter(value: Any) -> str:
    """A searched parameter's value: floats as short as they can be, the rest as JSON people know it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
