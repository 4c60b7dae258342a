"""Where this package lies, and the project around it: the folder that has dags/, include/configs/ and history/."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def is_installed() -> bool:
    """As a wheel, with pip's record beside it. Not so are a checkout, a copied plugins/ and an editable install."""
    return any(_PACKAGE.parent.glob("k8s_tuning-*.dist-info"))


def project_dir() -> Path:
    """The folder that has plugins/; of an installed wheel Airflow's home: $AIRFLOW_HOME, else ~/airflow."""
    if not is_installed():
        return _PACKAGE.parents[1]
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def shipped_folders() -> Mapping[Path, Path]:
    """What `k8s-tuning init` lays out: by each folder's place in a project, the folder to copy from."""
    places = (Path("dags"), Path("include", "configs"))
    if is_installed():
        return {place: _PACKAGE / "project" / place.name for place in places}
    return {place: project_dir() / place for place in places}
