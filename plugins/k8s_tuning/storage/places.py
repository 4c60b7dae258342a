"""Where files are kept when nobody says otherwise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from k8s_tuning.installation import project_dir


def history_dir() -> Path:
    """The history, ledger and journal of runs: in $K8S_TUNING_HISTORY_DIR, else in the project's `history/`.

    With several workers it must be a volume that all of them, the triggerer and the API server share.
    """
    named = os.environ.get("K8S_TUNING_HISTORY_DIR")
    return Path(named) if named else project_dir() / "history"


def targets_file() -> Path:
    """What is watched: $K8S_TUNING_TARGETS_FILE, else the project's `include/configs/targets.yaml`."""
    named = os.environ.get("K8S_TUNING_TARGETS_FILE")
    return Path(named) if named else project_dir() / "include" / "configs" / "targets.yaml"


def tracebacks_dir() -> Path:
    """What the last net keeps: `tracebacks/` in $K8S_TUNING_HISTORY_DIR where that is set, else the temp folder."""
    named = os.environ.get("K8S_TUNING_HISTORY_DIR")
    return Path(named) / "tracebacks" if named else Path(tempfile.gettempdir())
