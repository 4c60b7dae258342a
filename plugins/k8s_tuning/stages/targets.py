"""targets.yaml: what the health monitor watches, and how much of its history is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.target_identity import TargetIdentity

STALE_AFTER_MINUTES = 30.0
# How many times as stale a target must be to page somebody.
VERY_STALE = 4
# A target that nothing was recorded of for so long is no longer known: it was removed, or its alert about stale history
# has lasted for a week.
FORGET_AFTER_SECONDS = 7 * 86_400


class WatchedTarget(BaseModel):
    """One selection of Jobs on one cluster.

    `channel_type`: one channel by its type, with its Airflow connection `channel_conn_id`; `routes` for alerting.yaml.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=63)]
    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    label_selector: str
    kubernetes_conn_id: Annotated[str, Field(min_length=1)] = "kubernetes_default"
    channel_type: str = "routes"
    channel_conn_id: str = ""

    @property
    def cluster(self) -> str:
        """The name of its cluster in the history: the connection's id."""
        return self.kubernetes_conn_id

    def identity(self) -> TargetIdentity:
        """As the history knows it."""
        return TargetIdentity(self.namespace, self.label_selector, cluster=self.cluster, names=[self.name])


class Retention(BaseModel):
    """How long records are kept, by age and by count; a record past either limit goes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90
    max_records: Annotated[int, Field(ge=1)] = 100_000


class TargetsConfig(BaseModel):
    """The whole file. A target without a record for `stale_after_minutes` is a failure of the monitoring itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    targets: Annotated[list[WatchedTarget], Field(min_length=1)]
    retention: Retention = Retention()
    stale_after_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = STALE_AFTER_MINUTES


def is_stale(age_seconds: float | None, stale_after_minutes: float = STALE_AFTER_MINUTES) -> bool:
    """Whether a target's newest record, of this age, says nothing of now.

    It is too old, or dated as far ahead (a negative age: a clock is wrong), or there is none. The one rule for the
    health page, the monitor's alert and, by include/kubernetes/generate.py, the Prometheus rule.
    """
    return age_seconds is None or abs(age_seconds) > stale_after_minutes * 60


def load_targets(path: str | Path) -> TargetsConfig:
    """The file; ConfigError names it, the key and what would be right."""
    data = yamlfile.read_mapping(Path(path))
    try:
        config = TargetsConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        cure = "put it in quotes" if first["type"] == "string_type" else "include/configs/targets.yaml shows every key"
        raise ConfigError(f"{path}: {place}: {first['msg']}; {cure}") from error
    for what, values in (
        ("name", [target.name for target in config.targets]),
        (
            "kubernetes_conn_id, namespace and label_selector",
            [f"{target.cluster} {target.namespace} {target.label_selector}" for target in config.targets],
        ),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            # Two such targets would be one in the history.
            raise ConfigError(f"{path}: two targets have the {what} {twice[0]!r}; make them differ")
    return config
