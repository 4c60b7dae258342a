"""The folder that scheduler, workers, triggerer and API server share: every path in it is made here."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from k8s_tuning.installation import project_dir


@dataclass(frozen=True)
class StateDir:
    """What is kept between runs. `history_name`: the history's file; the command line may name another."""

    root: Path
    history_name: str = "health.jsonl"

    @classmethod
    def default(cls) -> StateDir:
        """$K8S_TUNING_HISTORY_DIR, else the project's `history/`.

        With several workers it must be a volume that all of them, the triggerer and the API server share.
        """
        return cls(Path(os.environ.get("K8S_TUNING_HISTORY_DIR") or project_dir() / "history"))

    @classmethod
    def of_history(cls, file: str | Path) -> StateDir:
        """The folder around a history of any name."""
        return cls(Path(file).parent, Path(file).name)

    @property
    def history(self) -> Path:
        """Health, one line a check."""
        return self.root / self.history_name

    @property
    def ledger(self) -> Path:
        """Alerts: what was decided and sent."""
        return self.root / "alerts-ledger.jsonl"

    @property
    def runs(self) -> Path:
        """The journal of pipeline runs."""
        return self.root / "runs.jsonl"

    @property
    def latest(self) -> Path:
        """The newest snapshot of each target."""
        return self.root / "looks"

    @property
    def sessions(self) -> Path:
        """What became of each tuning session."""
        return self.root / "sessions"

    @property
    def handovers(self) -> Path:
        """What tasks hand on that is too large for XCom, a folder a run."""
        return self.root / "handover"

    @property
    def jobs(self) -> Path:
        """Manifests, a folder a run."""
        return self.root / "jobs"


def targets_file() -> Path:
    """What is watched: $K8S_TUNING_TARGETS_FILE, else the project's `include/configs/targets.yaml`."""
    return Path(os.environ.get("K8S_TUNING_TARGETS_FILE") or project_dir() / "include" / "configs" / "targets.yaml")


def tracebacks_dir() -> Path:
    """What the last net keeps: `tracebacks/` in $K8S_TUNING_HISTORY_DIR where that is set, else the temp folder."""
    named = os.environ.get("K8S_TUNING_HISTORY_DIR")
    return Path(named) / "tracebacks" if named else Path(tempfile.gettempdir())
