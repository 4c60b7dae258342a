"""What every part of the cluster works with: its state, its scenario, its version, and how time passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.scenario import Scenario
from k8s_tuning_sandbox.store import Store


@dataclass(frozen=True)
class Simulation:
    """One cluster. `clock`: the present time, aware; `later(seconds, call)`: calls once they have passed."""

    store: Store
    scenario: Scenario
    clock: Callable[[], datetime]
    later: Callable[[float, Callable[[], None]], object]
    dialect: Dialect

    def now(self) -> str:
        """The present time as the API writes it."""
        return to_text(self.clock())
