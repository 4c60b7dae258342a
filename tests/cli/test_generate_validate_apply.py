"""`k8s-tuning generate`, `validate` and `apply`: flags, outputs and exit codes, as a CI system meets them."""

import argparse
import json
from pathlib import Path

import pytest

from k8s_tuning.cli import apply, generate, validate
from k8s_tuning.errors import ConfigError, InputError, RefusedError
from k8s_tuning.stages.sessions.store import SessionStore

CONFIG = str(Path(__file__).parents[2] / "include/configs/d29-k8s-demo-session.yaml")
POLICY = str(Path(__file__).parents[2] / "include/configs/apply.yaml")


def call(*argv):
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for command in (generate, validate, apply):
        command.register(commands)
    args = parser.parse_args(argv)
    return args.run(args)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No cluster is configured."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.fixture
def jobs(tmp_path, capsys):
    folder = str(tmp_path / "jobs")
    assert call("generate", "--config", CONFIG, "--output-dir", folder, "--run-id", "ci-7") == 0
    capsys.readouterr()
    return folder


def test_generate_reports_its_files_and_takes_another_session_id(tmp_path, capsys):
    code = call("generate", "--config", CONFIG, "--output-dir", str(tmp_path), "--session-id", "nightly-7", "--json")
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert result["files"] == sorted(path.name for path in tmp_path.iterdir())
    assert result["job_names"][0] == "arb-tuning-nightly-7-worker-1-0"


def test_generate_refuses_a_bad_session_id_and_writes_nothing(tmp_path):
    with pytest.raises(ConfigError, match="session_id"):
        call("generate", "--config", CONFIG, "--output-dir", str(tmp_path / "jobs"), "--session-id", "a b")
    assert not (tmp_path / "jobs").exists()


def test_validate_exits_0_where_all_are_valid(jobs, capsys):
    assert call("validate", "--jobs-dir", jobs) == 0
    assert "Valid Jobs:   2" in capsys.readouterr().out


def test_validate_exits_1_where_one_is_not_and_names_it(jobs, capsys):
    Path(jobs, "broken.yaml").write_text("kind: [")
    assert call("validate", "--jobs-dir", jobs, "--json") == 1
    plan = json.loads(capsys.readouterr().out)
    assert plan["invalid_files"] == ["broken.yaml"]
    assert plan["valid_jobs"] == 2


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_validate_exits_1_where_there_is_no_such_directory(tmp_path, capsys, name):
    (tmp_path / "file").write_text("a: 1")
    assert call("validate", "--jobs-dir", str(tmp_path / name)) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"k8s-tuning validate: {tmp_path / name}: ")
    assert "give the directory that `k8s-tuning generate --output-dir` wrote" in said.err
    assert said.out == ""


def test_strict_makes_a_warning_an_error(jobs):
    path = next(Path(jobs).iterdir())
    path.write_text(path.read_text().replace("1.0.0", "latest"))
    assert call("validate", "--jobs-dir", jobs) == 0
    assert call("validate", "--jobs-dir", jobs, "--strict") == 1


def test_apply_is_a_dry_run_unless_asked_otherwise_and_needs_no_cluster(jobs, capsys, nowhere):
    assert call("apply", "--jobs-dir", jobs, "--config", POLICY) == 0
    out = capsys.readouterr().out
    assert "DRY RUN, nothing was changed; NO SERVER WAS ASKED" in out
    assert "kubectl apply --server-side --field-manager=k8s-tuning --dry-run=server -n trading-bots -f " in out


def test_apply_prints_json_with_the_contracts_fields(jobs, capsys, nowhere):
    call("apply", "--jobs-dir", jobs, "--json")
    result = json.loads(capsys.readouterr().out)
    assert {"total_jobs", "successful_jobs", "failed_jobs", "skipped_jobs", "job_results"} <= result.keys()
    assert result["job_results"][0]["status"] == "SKIPPED"


def test_a_real_apply_without_a_cluster_is_an_error(jobs, nowhere):
    with pytest.raises(ConfigError):
        call("apply", "--jobs-dir", jobs, "--apply")


@pytest.mark.parametrize(
    "flag", [["--allow-namespace", "dev"], ["--allow-namespace", "dev", "--allow-namespace", "x*"]]
)
def test_apply_refuses_a_namespace_outside_the_flags(jobs, nowhere, flag):
    with pytest.raises(RefusedError, match="trading-bots is not on the allow-list"):
        call("apply", "--jobs-dir", jobs, *flag)


def test_the_allow_list_has_one_source(jobs):
    with pytest.raises(InputError, match="not both"):
        call("apply", "--jobs-dir", jobs, "--config", POLICY, "--allow-context", "x")


def test_applying_an_empty_directory_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no \.yaml file in it"):
        call("apply", "--jobs-dir", str(tmp_path))


def test_apply_creates_on_a_cluster_and_exits_1_where_a_job_is_refused(cluster, tmp_path, capsys):
    text = Path(CONFIG).read_text()
    config = tmp_path / "session.yaml"
    folder = str(tmp_path / "jobs")
    config.write_text(text.replace("trading-bots", cluster.namespace))
    call("generate", "--config", str(config), "--output-dir", folder)
    command = ["apply", "--jobs-dir", folder, "--apply", "--kubeconfig", str(cluster.kubeconfig)]
    assert call(*command) == 0
    assert call(*command, "--sessions-dir", str(tmp_path / "sessions")) == 0, "again: unchanged"
    (session,) = SessionStore(tmp_path / "sessions").list()
    assert [job.worker_id for job in session.jobs] == ["worker-1", "worker-2"]
    config.write_text(config.read_text().replace("1.0.0", "2.0.0"))
    call("generate", "--config", str(config), "--output-dir", folder)
    assert call(*command) == 1
    assert "another spec" in capsys.readouterr().out
