"""Counting a long history that has no checkpoint yet, on all cores: DuckDB's JSON reader over the same file."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from k8s_tuning.stages.history.record import MAX_COUNT
from k8s_tuning.storage.jsonl import MAX_LINE_BYTES

# Below this, reading line by line is over before DuckDB is imported.
WORTH_BYTES = 64 * 1024 * 1024

_COLUMNS = (
    *("timestamp", "namespace", "selector", "target", "cluster"),
    *("overall_health", "jobs_ok", "jobs_warn", "jobs_error"),
)
_LEVELS = ("OK", "WARN", "ERROR")
# As this package writes it; the cast then refuses a 31st of February. The year 0 is none.
_INSTANT = r"(?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
_COUNT = f"""
    SELECT namespace, selector, target, cluster, overall_health, jobs_ok, jobs_warn, jobs_error,
           count(*), count_if(regexp_full_match(timestamp::VARCHAR, '"{_INSTANT}"')
                              AND try_cast(substr(timestamp::VARCHAR, 2, 19) AS TIMESTAMP) IS NOT NULL)
    FROM read_json(?, format = 'newline_delimited', compression = 'none', hive_partitioning = false,
                   ignore_errors = true, maximum_object_size = {MAX_LINE_BYTES},
                   columns = {{{", ".join(f"{column}: 'JSON'" for column in _COLUMNS)}}})
    GROUP BY ALL
"""  # noqa: S608 - nothing of it comes from outside


Identity = tuple[str, str, str | None, str | None]


def count_lines(path: Path, size: int) -> dict[Identity, tuple[int, int, int]] | None:
    """(OK, WARN, ERROR) records an identity (namespace, selector, name, cluster).

    None where line by line is quicker, or alone exact.

    Every value is read as its JSON text, so that a number in quotes is seen to be one. Where any line is not plainly a
    record, the whole answer is None: what a damaged line counts for is decided in one place only.
    """
    if size < WORTH_BYTES or any(sign in str(path) for sign in "*?[{"):  # DuckDB would take it for a pattern
        return None
    import duckdb

    try:
        with path.open("rb") as handle:
            handle.seek(-1, os.SEEK_END)
            if handle.read(1) != b"\n":
                return None
        with duckdb.connect(":memory:") as connection:
            rows = connection.execute(_COUNT, [str(path)]).fetchall()
    except (duckdb.Error, OSError):
        return None
    counts: dict[Identity, list[int]] = {}
    for namespace, selector, name, cluster, health, *jobs, records, dated in rows:
        if records != dated:
            return None
        # NULL: the count is null or left out, so not known.
        if not all(job is None or (job.isdigit() and int(job) <= MAX_COUNT) for job in jobs):
            return None
        where = _text(namespace), _text(selector)
        level = _text(health)
        if where[0] is None or where[1] is None or level not in _LEVELS:
            return None
        counts.setdefault((where[0], where[1], _text(name), _text(cluster)), [0, 0, 0])[_LEVELS.index(level)] += records
    return {key: (ok, warn, error) for key, (ok, warn, error) in counts.items()}


def _text(value: str | None) -> str | None:
    text = orjson.loads(value) if value is not None else None
    return text if isinstance(text, str) else None
