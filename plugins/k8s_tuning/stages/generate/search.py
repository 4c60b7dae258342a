"""Search spaces: which combination of parameters each Job gets. Pure: the seed comes in, nothing else is random.

    strategy: grid                                    every combination, once; a range needs a step
    strategy: random                                  as many distinct combinations as there are Jobs
    parameters:
      threshold: {values: [0.1, 0.2]}                 numbers, texts or booleans
      window: {min: 10, max: 50, step: 10}            both ends included
      rate: {min: 0.0001, max: 0.1, scale: log}       random only

Draws use `random.Random(seed).random()` alone, the one method whose sequence Python promises to keep between versions.
More Jobs from one seed begin with the same combinations.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict

from k8s_tuning.errors import ConfigError

Value = bool | int | float | str
Combination = dict[str, Value]
_Finite = Annotated[float, Strict(), Field(allow_inf_nan=False)]
_Scalar = Annotated[bool, Strict()] | Annotated[int, Strict()] | _Finite | Annotated[str, Strict()]
_Number = Annotated[int, Strict()] | _Finite
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# So narrow a space that this many draws in a row repeat themselves holds too few combinations to go on.
_DRAWS = 1000


@dataclass
class Parameter:
    """Either `values`, or `min` and `max` with an optional `step` and `scale`. Whole numbers stay whole."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    values: list[_Scalar] | None = None
    min: _Number | None = None
    max: _Number | None = None
    step: _Number | None = None
    scale: Literal["linear", "log"] = "linear"


@dataclass
class SearchSpace:
    """Named parameters and how to walk them. `seed` None: derived from the session id."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    strategy: Literal["grid", "random"]
    parameters: dict[str, Parameter]
    seed: Annotated[int, Strict()] | None = None


def combinations(space: SearchSpace, count: int, session_id: str) -> list[Combination]:
    """One combination for each of `count` Jobs, all distinct; ConfigError where the space can't give exactly these."""
    check_space(space)
    if space.strategy == "grid":
        return _grid(space, count)
    seed: int | str = session_id if space.seed is None else space.seed
    # S311: parameters of an experiment, not secrets.
    return _random(space, count, random.Random(str(seed)))  # noqa: S311


def env_name(parameter: str) -> str:
    """The environment variable that carries a parameter: `spread-max` is TUNE_SPREAD_MAX."""
    return "TUNE_" + re.sub(r"[^A-Z0-9]", "_", parameter.upper())


def env_text(value: Value) -> str:
    """A parameter's value as an environment variable's text; booleans as true and false."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_space(space: SearchSpace) -> None:
    """ConfigError names the parameter that is wrong, as search.parameters.NAME, and what would be right."""
    if not space.parameters:
        raise ConfigError("search.parameters: is empty; name at least one parameter, or leave `search` out")
    taken: dict[str, str] = {}
    for name, parameter in space.parameters.items():
        place = f"search.parameters.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{place}: a name starts with a letter and holds only letters, digits, '_', '-' and '.'")
        if (other := taken.setdefault(env_name(name), name)) != name:
            raise ConfigError(f"{place}: becomes {env_name(name)}, and so does {other!r}; rename one of them")
        _check_parameter(parameter, place, space.strategy)


def _check_parameter(parameter: Parameter, place: str, strategy: str) -> None:
    low, high, step = parameter.min, parameter.max, parameter.step
    if parameter.values is not None:
        if (low, high, step, parameter.scale) != (None, None, None, "linear"):
            raise ConfigError(f"{place}: has both `values` and a range; keep one of them")
        if not parameter.values:
            raise ConfigError(f"{place}.values: is empty; list at least one value")
        seen: set[object] = set()
        for value in parameter.values:
            # 1000 and 1e3 are one number in two notations; 1 and "1" are one text to the Job.
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            same = {env_text(value), *([_exact(value)] if is_number else [])}
            if seen & same:
                raise ConfigError(f"{place}.values: {env_text(value)} is there twice")
            seen |= same
        return
    if low is None or high is None:
        raise ConfigError(f"{place}: needs either `values: [...]` or both `min` and `max`")
    if low > high:
        raise ConfigError(f"{place}: min {low} is above max {high}")
    if step is not None and (step <= 0 or step > max(high - low, step if low == high else 0)):
        raise ConfigError(f"{place}.step: {step} must be above 0 and at most max - min ({high - low})")
    if parameter.scale == "log" and (low <= 0 or step is not None):
        raise ConfigError(f"{place}: a log scale needs min above 0 and no step")
    if strategy == "grid" and step is None:
        raise ConfigError(f"{place}: a grid needs `values` or a `step`; a bare range has no end of points")


def _points(parameter: Parameter) -> int | None:
    """How many values the parameter has; None for a range without a step (as good as endless)."""
    if parameter.values is not None:
        return len(parameter.values)
    low, high, step = _exact(parameter.min), _exact(parameter.max), parameter.step
    if step is not None:
        return int((high - low) // _exact(step)) + 1
    if _is_whole(parameter) and parameter.scale == "linear":
        return int(high - low) + 1
    return 1 if low == high else None


def _point(parameter: Parameter, index: int) -> Value:
    if parameter.values is not None:
        return parameter.values[index]
    # Decimal, so that 0.1 + 2 * 0.1 is 0.3 and the YAML of today is the YAML of tomorrow.
    value = _exact(parameter.min) + index * _exact(1 if parameter.step is None else parameter.step)
    return int(value) if _is_whole(parameter) else float(value)


def _grid(space: SearchSpace, count: int) -> list[Combination]:
    total = math.prod(_points(parameter) or 0 for parameter in space.parameters.values())
    if total != count:
        raise ConfigError(
            f"search: the grid has {total:,} combinations for {count:,} Jobs; a Job runs one combination, so set "
            f"workers to {total} (and total_iterations to at least as many), or change the grid"
        )
    return [_decode(space, index) for index in range(total)]


def _random(space: SearchSpace, count: int, rng: random.Random) -> list[Combination]:
    sizes = [_points(parameter) for parameter in space.parameters.values()]
    if all(size is not None for size in sizes):
        total = math.prod(size or 0 for size in sizes)
        if total < count:
            raise ConfigError(
                f"search: only {total:,} different combinations for {count:,} Jobs; lower workers or widen a parameter"
            )
        return [_decode(space, index) for index in _distinct(total, count, rng)]
    found: dict[tuple[Value, ...], Combination] = {}
    misses = 0
    while len(found) < count:
        drawn = {name: _draw(parameter, rng) for name, parameter in sorted(space.parameters.items())}
        misses = misses + 1 if found.setdefault(tuple(drawn.values()), drawn) is not drawn else 0
        if misses > _DRAWS:
            raise ConfigError(
                f"search: only {len(found):,} different combinations found for {count:,} Jobs; widen a parameter"
            )
    return list(found.values())


def _distinct(total: int, count: int, rng: random.Random) -> list[int]:
    """`count` different numbers below `total`: Fisher-Yates that remembers only the places it has touched."""
    moved: dict[int, int] = {}
    chosen: list[int] = []
    for place in range(count):
        other = place + int(rng.random() * (total - place))
        chosen.append(moved.get(other, other))
        moved[other] = moved.get(place, place)
    return chosen


def _decode(space: SearchSpace, index: int) -> Combination:
    """The index-th combination by parameter name; the last name varies fastest."""
    values: Combination = {}
    for name, parameter in sorted(space.parameters.items(), reverse=True):
        index, point = divmod(index, _points(parameter) or 1)
        values[name] = _point(parameter, point)
    return dict(sorted(values.items()))


def _draw(parameter: Parameter, rng: random.Random) -> Value:
    points = _points(parameter)
    if points is not None:
        return _point(parameter, int(rng.random() * points))
    low, high = float(_exact(parameter.min)), float(_exact(parameter.max))
    if parameter.scale == "log":
        value = math.exp(math.log(low) + rng.random() * (math.log(high) - math.log(low)))
    else:
        value = low + rng.random() * (high - low)
    # Six significant digits read well in a manifest; rounding must not step over an end.
    value = min(max(float(f"{value:.6g}"), low), high)
    return min(max(round(value), int(low)), int(high)) if _is_whole(parameter) else value


def _is_whole(parameter: Parameter) -> bool:
    return all(not isinstance(value, float) for value in (parameter.min, parameter.max, parameter.step))


def _exact(value: Any) -> Decimal:
    return Decimal(str(value))
