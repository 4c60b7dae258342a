"""A session's YAML file: each mistake is one clear line that names file, key and cure."""

import pytest

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.generate.session import load_session

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


BOMB = "b0: &b0 [x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*b{n - 1},*b{n - 1},*b{n - 1},*b{n - 1}]\n" for n in range(1, 12))


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


@pytest.mark.parametrize(
    "text", ["12:30", "1:30:00", "no", "on", "yes", "Off", "y", "n", "2025-11-16", "2025-11-16T10:00:00Z", "="]
)
def test_a_text_that_older_yaml_takes_for_something_else_is_the_text(tmp_path, text):
    config = load_session(
        write(
            tmp_path,
            GOOD
            + f"extra_env: {{A: {text}}}\nnode_selector: {{a: {text.replace(':', '').strip('=')}x}}\n"
            + f"search: {{strategy: grid, parameters: {{n: {{values: [{text}]}}}}}}\n",
        )
    )
    assert config.extra_env == {"A": text}
    assert config.search.parameters["n"].values == [text]


def test_numbers_are_numbers_however_they_are_written(tmp_path):
    values = "[1e-4, 1e3, .5, 5., +1, 0x1F, 0o10]"
    config = load_session(
        write(tmp_path, GOOD + f"search: {{strategy: grid, parameters: {{y: {{values: {values}}}}}}}\n")
    )
    assert config.search.parameters["y"].values == [0.0001, 1000.0, 0.5, 5.0, 1, 31, 8]


@pytest.mark.parametrize("text", ["010", "08", "1_000", "0b11", "0X1F"])
@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("extra_env.A", "extra_env: {{A: {}}}"),
        ("search.parameters.n.values[0]", "search: {{strategy: grid, parameters: {{n: {{values: [{}]}}}}}}"),
        ("backoff_limit", "backoff_limit: {}"),
        ("resources.limits.cpu", "resources: {{limits: {{cpu: {}}}}}"),
    ],
)
def test_a_number_that_older_yaml_takes_for_another_is_refused_with_key_line_and_cure(tmp_path, text, key, line):
    with pytest.raises(ConfigError) as caught:
        load_session(write(tmp_path, GOOD + line.format(text) + "\n"))
    assert f"session.yaml: {key}: this number is one value" in str(caught.value)
    assert "put it in quotes if it is a text" in str(caught.value)
    assert "(line 10)" in str(caught.value)


def test_one_value_in_two_notations_is_one_value(tmp_path):
    """1e-3 was a text, so that two Jobs ran with one and the same value."""
    path = write(tmp_path, GOOD + "search: {strategy: grid, parameters: {a: {values: [1e-3, 0.001]}}}\n")
    with pytest.raises(ConfigError, match=r"session\.yaml: search\.parameters\.a\.values: 0\.001 is there twice"):
        load_session(path)


def test_anchors_and_merge_keys_spare_the_writer_a_repetition(tmp_path):
    text = GOOD + "resources:\n  requests: &amounts {cpu: '1', memory: 1Gi}\n  limits: {<<: *amounts, memory: 2Gi}\n"
    config = load_session(write(tmp_path, text))
    assert config.resources["limits"] == {"cpu": "1", "memory": "2Gi"}
