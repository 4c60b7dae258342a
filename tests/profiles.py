"""How many examples a property is tried with: few while one works, all of them in `make test`, very many overnight.

$HYPOTHESIS_PROFILE names the profile. A test whose examples are cheaper or dearer than most says how many it wants with
`@settings(max_examples=examples(150))`, which the profile scales too.
"""

import os

from hypothesis import HealthCheck, settings

SHARES = {"quick": 0.25, "thorough": 1.0, "soak": 50.0}
SHARE = SHARES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]


def examples(thorough: int) -> int:
    """The share of `thorough` examples that the profile tries, at least three."""
    return max(3, round(thorough * SHARE))


def load() -> None:
    """A machine that is busy with other tests is slow, and a slow example is no fault of the code."""
    quiet = [HealthCheck.too_slow]
    settings.register_profile(
        "k8s-tuning", deadline=None, suppress_health_check=quiet, max_examples=examples(100), print_blob=True
    )
    settings.load_profile("k8s-tuning")
