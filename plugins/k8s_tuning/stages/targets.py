"""targets.yaml: what the health monitor watches, and how much of its history is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError


class Target(BaseModel):
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


class Retention(BaseModel):
    """How long records are kept, by age and by count; a record past either limit goes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90
    max_records: Annotated[int, Field(ge=1)] = 100_000


class TargetsConfig(BaseModel):
    """The whole file. A target without a record for `stale_after_minutes` is a failure of the monitoring itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    targets: Annotated[list[Target], Field(min_length=1)]
    retention: Retention = Retention()
    stale_after_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30


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
        ("namespace and label_selector", [f"{target.namespace} {target.label_selector}" for target in config.targets]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            # Two such targets would be one in the history.
            raise ConfigError(f"{path}: two targets have the {what} {twice[0]!r}; make them differ")
    return config
