"""Search spaces: seeded, distinct, exact, and refused where they can't give one combination a Job."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.generate.search import Parameter, SearchSpace, combinations, env_name, env_text


def grid(**parameters):
    return SearchSpace("grid", parameters)


def rand(seed=1, **parameters):
    return SearchSpace("random", parameters, seed)


def test_a_grid_is_every_combination_once_with_exact_decimals():
    space = grid(b=Parameter(min=0.1, max=0.3, step=0.1), a=Parameter(values=["x", "y"]))
    assert combinations(space, 6, "s") == [{"a": a, "b": b} for a in ("x", "y") for b in (0.1, 0.2, 0.3)]


def test_whole_numbers_stay_whole():
    assert combinations(grid(n=Parameter(min=1, max=7, step=3)), 3, "s") == [{"n": 1}, {"n": 4}, {"n": 7}]


@pytest.mark.parametrize(("jobs", "size"), [(5, 6), (7, 6)])
def test_a_grid_that_is_not_one_combination_a_job_is_refused(jobs, size):
    with pytest.raises(ConfigError, match=f"{size} combinations for {jobs} Jobs.*set workers to {size}"):
        combinations(grid(a=Parameter(min=1, max=6, step=1)), jobs, "s")


def test_an_astronomic_grid_is_refused_before_it_is_built():
    space = grid(**{name: Parameter(min=0, max=10**9, step=1) for name in "abcdef"})
    with pytest.raises(ConfigError, match="combinations for 3 Jobs"):
        combinations(space, 3, "s")


@given(st.integers(0, 40), st.integers(), st.booleans())
def test_random_draws_are_distinct_seeded_and_grow_by_their_end(count, seed, endless):
    parameters = {"n": Parameter(min=1, max=10), "v": Parameter(values=["a", "b", "c", "d"])}
    if endless:
        parameters["rate"] = Parameter(min=1e-4, max=0.1, scale="log")
    drawn = combinations(SearchSpace("random", parameters, seed), count, "s")
    assert len({json.dumps(one) for one in drawn}) == count
    assert all(1 <= one["n"] <= 10 for one in drawn)
    assert all(1e-4 <= one.get("rate", 1e-4) <= 0.1 for one in drawn)
    assert combinations(SearchSpace("random", dict(reversed(parameters.items())), seed), count, "s") == drawn
    assert combinations(SearchSpace("random", parameters, seed), 40, "s")[:count] == drawn


def test_a_finite_space_can_be_drawn_to_its_last_combination():
    drawn = combinations(rand(n=Parameter(min=1, max=100)), 100, "s")
    assert sorted(one["n"] for one in drawn) == list(range(1, 101))
    assert [one["n"] for one in drawn] != list(range(1, 101))


def test_a_space_smaller_than_the_session_is_refused():
    with pytest.raises(ConfigError, match="only 2 different combinations for 3 Jobs"):
        combinations(rand(v=Parameter(values=[1, 2])), 3, "s")


def test_a_range_too_narrow_for_six_digits_is_refused_rather_than_drawn_for_ever():
    with pytest.raises(ConfigError, match="different combinations found"):
        combinations(rand(x=Parameter(min=1.0, max=1.000001)), 50, "s")


def test_without_a_seed_the_session_decides():
    space = SearchSpace("random", {"x": Parameter(min=0.0, max=1.0)})
    assert combinations(space, 3, "monday") == combinations(space, 3, "monday")
    assert combinations(space, 3, "monday") != combinations(space, 3, "tuesday")


def test_the_sequence_of_a_seed_is_fixed_for_all_time():
    """A stored session must give the same Jobs after an upgrade of Python or of this package."""
    space = rand(seed=42, x=Parameter(min=0.0, max=1.0), n=Parameter(min=1, max=64, scale="log"))
    assert combinations(space, 3, "s") == GOLDEN


GOLDEN = [{"n": 7, "x": 0.633185}, {"n": 3, "x": 0.929493}, {"n": 2, "x": 0.602022}]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (grid(), "search.parameters: is empty"),
        (grid(a=Parameter()), "needs either `values"),
        (grid(a=Parameter(values=[])), "search.parameters.a.values: is empty"),
        (grid(a=Parameter(values=[1, 1])), "1 is there twice"),
        (grid(a=Parameter(values=[1, "1"])), "1 is there twice"),
        (grid(a=Parameter(values=[1000, 1e3])), "1000.0 is there twice"),
        (grid(a=Parameter(values=[0.1, 1e-1])), "0.1 is there twice"),
        (grid(a=Parameter(values=[1], min=0)), "both `values` and a range"),
        (grid(a=Parameter(min=2, max=1, step=1)), "min 2 is above max 1"),
        (grid(a=Parameter(min=0, max=1)), "a grid needs"),
        (grid(a=Parameter(min=0, max=1, step=-1)), "step: -1 must be above 0"),
        (grid(a=Parameter(min=0, max=1, step=2)), "step: 2 must be above 0 and at most"),
        (rand(a=Parameter(min=0, max=1.5, scale="log")), "log scale needs min above 0"),
        (grid(**{"a-b": Parameter(values=[1]), "a_b": Parameter(values=[1])}), "becomes TUNE_A_B, and so does 'a-b'"),
        (grid(**{"1a": Parameter(values=[1])}), "a name starts with a letter"),
        (grid(값=Parameter(values=[1])), "a name starts with a letter"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_space_that_cannot_work_is_refused_with_its_key(space, said):
    with pytest.raises(ConfigError, match=said):
        combinations(space, 1, "s")


def test_names_and_values_of_the_environment():
    assert env_name("spread-max.v2") == "TUNE_SPREAD_MAX_V2"
    assert [env_text(value) for value in (True, 3, 0.25, "x")] == ["true", "3", "0.25", "x"]
