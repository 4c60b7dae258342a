"""A session's YAML file: each mistake is one clear line that names file, key and cure."""

import pytest

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.session import load_session

GOOD = """
session_id: demo
k8s_namespace: trading-bots
image: registry.example/app:1
mode: paper
env: docker
total_iterations: 6
workers: 2
optimizer: grid
"""


def write(tmp_path, text):
    path = tmp_path / "session.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_a_session(tmp_path):
    config = load_session(write(tmp_path, GOOD))
    assert (config.session_id, config.workers, config.extra_env, config.resources) == ("demo", 2, {}, None)


BOMB = "a: &a [x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*{'a' if n == 0 else f'b{n - 1}'},*a]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected `key: value` lines"),
        ("- a\n", "expected `key: value` lines at the top level, found a list"),
        ("a: [", "line 1: not YAML|not YAML"),
        (GOOD + "worker: 3\n", "worker: unknown key; did you mean 'workers'"),
        (GOOD + "zzz: 3\n", "zzz: unknown key; known keys: session_id"),
        (GOOD.replace("workers: 2", "workers: '2'"), "workers: '2' must be a valid integer"),
        (GOOD.replace("workers: 2", "workers: -2"), "workers: -2 must be greater"),
        (GOOD.replace("mode: paper\n", ""), "mode: is missing"),
        (GOOD + "extra_env: {PORT: 6379}\n", "extra_env.PORT: its value is not a text; put it in quotes"),
        (GOOD + "extra_env: {PORT: s3cret, B: [1]}\n", "extra_env.B: its value must be a valid string"),
        (GOOD + "workers: 3\n", "line 10: the key 'workers' is there twice"),
        (
            GOOD + "search: {strategy: grid, parameter: {}}\n",
            "search.parameter: unknown key; did you mean 'parameters'",
        ),
        (
            GOOD + "search: {strategy: grid, parameters: {a: {value: [1]}}}\n",
            "search.parameters.a.value: unknown key; did you mean 'values'",
        ),
        (GOOD + "search: {strategy: walk, parameters: {}}\n", "search.strategy: 'walk' must be 'grid' or 'random'"),
        (GOOD + "search: {strategy: grid, parameters: {a: {min: low}}}\n", "search.parameters.a.min: 'low'"),
        (GOOD + "search: {strategy: grid, parameters: {a: {values: [.nan]}}}\n", "search.parameters.a.values.0: nan"),
        (BOMB, "aliases"),
        (b"\x00\x01\xff\xfe", "not UTF-8|not YAML"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8"),
        (b"#" * 1_000_001, "larger than 1,000,000 bytes"),
        ("a: " + "[" * 100, "nested deeper"),
    ],
    ids=lambda value: repr(value)[-30:] if isinstance(value, str) else "bytes",
)
def test_a_mistake_is_one_line_with_file_key_and_cure(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_session(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: No such file or directory"):
        load_session(tmp_path / "nowhere.yaml")


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="not a regular file"):
        load_session(tmp_path)


def test_every_mistake_is_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_session(write(tmp_path, GOOD.replace("paper", "dream").replace("workers: 2", "workers: 0")))
    assert "mode: " in str(caught.value)
    assert "workers: " in str(caught.value)


def test_a_value_that_may_be_a_password_is_never_repeated(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_session(write(tmp_path, GOOD + "extra_env: {DB_PASSWORD: 998877665544}\n"))
    assert "998877" not in str(caught.value)
