"""D29: a session's manifests from its YAML file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.stages.generate.jobs import K8sGenerateResult, generate_jobs
from k8s_tuning.stages.generate.session import load_session, session_namespace


def generate_session(
    source: str | Path,
    output_dir: str | Path,
    *,
    session_id: str | None = None,
    started_at: datetime | None = None,
    namespace: str | None = None,
    namespace_param: str = "namespace",
    orchestrator: str | Path | None = None,
    run_id: str | None = None,
    created_at: str | None = None,
) -> K8sGenerateResult:
    """Write the manifests of the session in `source` into `output_dir`.

    `session_id`: instead of the file's. Without it `started_at` makes the run a session of its own, the file's id
    followed by that date and time, so that a daily run does not find yesterday's Jobs and leave them be. `namespace`:
    where the caller expects the Jobs, by the param or flag `namespace_param`; InputError where the file says another.
    `orchestrator`: the guide's second file, which must agree with the first. ConfigError names file and key.
    """
    config = load_session(source)
    if orchestrator is not None:
        _check_same(source, orchestrator)
    session_namespace(config, namespace, str(source), namespace_param)
    file_id = config.session_id
    if session_id is not None:
        config = replace(config, session_id=session_id)
    elif started_at is not None:
        config = replace(config, session_id=f"{file_id}-{started_at:%Y%m%d-%H%M%S}")
    try:
        return generate_jobs(config, output_dir, run_id=run_id, created_at=created_at)
    except ConfigError as error:
        # With another session id the configuration is not the file's alone, and the error may be the flag's.
        raise ConfigError(f"{source}: {error}" if config.session_id == file_id else str(error)) from error


def namespace_of(source: str | Path | None, asked: str | None, param: str, default: str) -> str:
    """Where a run's Jobs go: the session's namespace, else what `asked` (by `param`) says, else `default`.

    InputError where the session's is another than was asked for. A file that cannot be used is left to
    `generate_session`, which says what is wrong with it.
    """
    try:
        return session_namespace(load_session(source), asked, str(source), param) if source else asked or default
    except ConfigError:
        return asked or default


def _check_same(session: str | Path, orchestrator: str | Path) -> None:
    """The guide's two files say many things twice; where they differ, one of the two would be ignored silently."""
    ours, theirs = (yamlfile.read_mapping(Path(path)) for path in (session, orchestrator))
    for key in ours.keys() & theirs.keys():
        if ours[key] != theirs[key]:
            # An environment variable may be a password: its value is never repeated.
            shown = ("one", "another") if key == "extra_env" else (repr(theirs[key]), repr(ours[key]))
            raise InputError(
                f"{orchestrator}: {key} is {shown[0]}, but {shown[1]} in {session}, from which alone the Jobs "
                "are made; make the two agree, or leave --orchestrator-config out"
            )
