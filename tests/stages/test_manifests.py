"""Manifests as files: written whole, read back by every reader as they were meant."""

import json
import shutil
import subprocess

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples
from tests.stages.generate.sessions import session

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError, StoreError
from k8s_tuning.stages.generate.jobs import (
    build_k8s_jobs_from_orchestrator,
    generate_jobs,
    job_manifest,
)
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning.yamlfile import Dialect

CREATED = "2025-11-16T10:00:00Z"


def test_twice_the_same_gives_the_same_files_and_an_earlier_larger_session_is_gone(tmp_path):
    generate_jobs(session(total_iterations=12, workers=12), tmp_path, created_at=CREATED)
    result = generate_jobs(session(), tmp_path, created_at=CREATED)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(result.removed) == 10
    assert sorted(first) == result.files
    assert generate_jobs(session(), tmp_path, created_at=CREATED).removed == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_files_that_somebody_else_wrote_stay_and_are_named(tmp_path):
    """Even one whose name looks like ours, and a link with such a name."""
    mine = tmp_path / "job-07-arb-tuning-by-hand.yaml"
    mine.write_text("kind: Job\n")
    (tmp_path / "job-08-link.yaml").symlink_to(mine)
    (tmp_path / "README.md").write_text("read me")
    result = generate_jobs(session(), tmp_path)
    assert mine.exists()
    assert (tmp_path / "README.md").exists()
    assert result.removed == []
    assert [note.split()[0] for note in result.notes] == ["job-07-arb-tuning-by-hand.yaml", "job-08-link.yaml"]


def test_an_output_directory_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="check that the output directory can be written"):
        generate_jobs(session(), tmp_path / "file" / "jobs")


def test_a_refused_config_writes_nothing(tmp_path):
    with pytest.raises(ConfigError):
        generate_jobs(session(mode="dream"), tmp_path / "jobs")
    assert not (tmp_path / "jobs").exists()


AWKWARD = st.one_of(
    st.sampled_from(
        [
            "1e3",
            "0o17",
            "y",
            "NO",
            "~",
            "null",
            "1_000",
            "2025-11-16",
            "=",
            "<<",
            "한글 🚀",
            "a: b",
            "*x",
            "- a",
            "\x85",
            "a\u2028b",
            "two\nlines\n",
        ]
    ),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30),
)


@given(st.lists(AWKWARD, max_size=4))
def test_any_text_comes_back_from_the_yaml_as_it_was(texts):
    job = build_k8s_jobs_from_orchestrator(session(extra_env={f"V{n}": text for n, text in enumerate(texts)}))[0]
    written = to_yaml(job_manifest(job))
    for dialect in Dialect:
        assert yamlfile.parse(written, "job.yaml", dialect) == job_manifest(job)
    assert not [event for event in yaml.parse(written) if getattr(event, "anchor", None)]


@given(st.lists(AWKWARD | st.text("0123456789abefoxABEFOX+-._:~ynT=<", max_size=8), min_size=50, max_size=80))
@settings(max_examples=examples(10))
def test_kubectl_reads_each_text_as_it_was(texts):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    pairs = {f"{text}-{index}"[-60:]: text for index, text in enumerate(texts)}
    written = to_yaml(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "texts": texts, "pairs": pairs}
    )
    command = [kubectl, "patch", "--local", "-f", "-", "-p", "{}", "--type", "merge", "-o", "json"]
    done = subprocess.run(command, input=written.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert (read["texts"], read["pairs"]) == (texts, pairs)


@pytest.mark.parametrize("text", ["1e3", "0o17", "y", "no", "1_000"])
def test_a_text_that_another_reader_takes_for_a_number_is_quoted(text):
    """PyYAML reads 1e3 as a text, kubectl as a number."""
    assert to_yaml({"value": text}) == f'value: "{text}"\n'


def test_korean_and_emoji_stand_in_the_file_as_they_are(tmp_path):
    result = generate_jobs(session(extra_env={"NOTE": "한국어 🚀"}), tmp_path)
    assert "한국어 🚀" in (tmp_path / result.files[0]).read_text(encoding="utf-8")
