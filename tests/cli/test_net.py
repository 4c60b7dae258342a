"""Whatever happens, a command ends in the code that means it, with one sentence and without a traceback."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from k8s_tuning.cli import health, history, main
from k8s_tuning.unforeseen import MOST_KEPT, PREFIX

pytestmark = pytest.mark.slow

SECRET = "https://hooks.slack.com/services/T000/B000/s3cr3tpath"
PROGRAM = [sys.executable, "-c", "import sys; from k8s_tuning.cli import main; sys.exit(main())"]
RECORD = {
    "timestamp": "2025-11-16T10:00:00Z",
    "namespace": "bots",
    "selector": "app=a",
    "overall_health": "ERROR",
    "jobs_ok": 0,
    "jobs_warn": 0,
    "jobs_error": 1,
    "raw_snapshot": None,
    "target": "아비트리지 🚀",
    "reasons": {"🚀": 1},
}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where tracebacks go."""
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path / "shared"))
    return tmp_path / "shared" / "tracebacks"


def breaking(monkeypatch, error):
    def run(args):
        local_password = "only-a-local-variable"  # noqa: F841
        raise error

    monkeypatch.setattr(history, "run", run)


def deep(level=0):
    return deep(level + 1)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("x"),
        RecursionError("x"),
        MemoryError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        KeyError("x"),
        OSError("x"),
        BrokenPipeError(32, "Broken pipe"),
        SystemExit("x"),
        SystemExit(1),
        ExceptionGroup("x", [ValueError("y")]),
        TimeoutError(),
    ],
    ids=lambda error: f"{type(error).__name__}({', '.join(map(repr, error.args[:1]))})",
)
def test_a_fault_that_nobody_foresaw_is_exit_3_and_one_sentence(error, kept, monkeypatch, capsys):
    breaking(monkeypatch, error)
    assert main(["history", "--history-file=x"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"k8s-tuning history: {type(error).__name__} in ")
    file = Path(re.search(r"its traceback is in (\S+)", line)[1])
    assert file.parent == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "def run" not in file.read_text()
    assert "raise error" in file.read_text()
    assert "only-a-local-variable" not in file.read_text()


@pytest.mark.parametrize(
    "words",
    [
        SECRET,
        "Authorization: Bearer abcdefgh12",
        "token=hunter2-abc",
        "{'password': 'hunter2'}",
        "xoxb-1234-5678-abcdef",
        "redis://user:pa55word@host/0",
    ],
)
def test_neither_the_sentence_nor_the_file_holds_a_secret(words, kept, monkeypatch, capsys):
    breaking(monkeypatch, ValueError(words))
    main(["history", "--history-file=x"])
    (file,) = kept.iterdir()
    everything = capsys.readouterr().err + file.read_text()
    assert not re.search("s3cr3tpath|abcdefgh12|hunter2|1234-5678|pa55word", everything)


def test_a_fault_while_the_command_is_loaded_or_asked_for_is_caught_too(kept, monkeypatch, capsys):
    monkeypatch.setattr(health, "register", lambda commands: 1 / 0)
    assert main(["health"]) == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_ctrl_c_is_130_without_a_traceback(monkeypatch, capsys):
    breaking(monkeypatch, KeyboardInterrupt())
    assert main(["history", "--history-file=x"]) == 130
    assert capsys.readouterr().err == ""


def test_real_recursion_ends_in_a_short_file(kept, monkeypatch, capsys):
    monkeypatch.setattr(history, "run", lambda args: deep())
    assert main(["history", "--history-file=x"]) == 3
    assert next(kept.iterdir()).stat().st_size < 10_000


def test_where_the_folder_cannot_be_written_the_temporary_one_has_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    breaking(monkeypatch, ZeroDivisionError())
    assert main(["history", "--history-file=x"]) == 3
    assert f"its traceback is in {tmp_path}/{PREFIX}" in capsys.readouterr().err
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nothing"))
    assert main(["history", "--history-file=x"]) == 3
    assert "could not be kept" in capsys.readouterr().err


def test_a_fault_that_comes_back_every_minute_fills_no_disk(kept, monkeypatch):
    breaking(monkeypatch, ZeroDivisionError())
    for _ in range(MOST_KEPT + 3):
        main(["history", "--history-file=x"])
    assert len(list(kept.iterdir())) == MOST_KEPT


def run(words, *, shell="", environment=None, **more):
    """The program, in a shell that leaves its streams as `shell` says."""
    command = ["bash", "-c", f'"$@" {shell}', "bash", *PROGRAM, *words]
    return subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, timeout=60, check=False, **more
    )


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "health.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    return ["history", f"--history-file={path}"]


@pytest.fixture
def long(tmp_path):
    path = tmp_path / "health.jsonl"
    path.write_text((json.dumps(RECORD) + "\n") * 3000)
    return ["history", f"--history-file={path}", "--limit=3000", "--json"]


@pytest.fixture(params=["short", "long", "help"])
def command(request):
    """What fits into a buffer, what does not, and what argparse prints."""
    return ["history", "--help"] if request.param == "help" else request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("shell", "code", "words"),
    [
        (">/dev/full", 3, "No space left on device"),
        (">&-", 3, "standard output is closed"),
        ("2>/dev/full >/dev/full", 3, ""),
    ],
)
def test_an_output_that_takes_nothing_is_exit_3(shell, code, words, command):
    done = run(command, shell=shell)
    assert done.returncode == code
    assert words in done.stderr.decode()
    assert len(done.stderr.splitlines()) == bool(words)


@pytest.mark.parametrize(
    ("shell", "code"), [(">&- 2>&-", 3), ("<&-", 0), ("2>&-", 0), ("2>/dev/full", 0), (">/dev/null", 0)]
)
def test_only_what_is_lost_is_a_fault(shell, code, short):
    assert run(short, shell=shell, environment={"PYTHONUNBUFFERED": "1"}).returncode == code


def test_a_file_that_is_written_never_gets_what_is_printed(short, tmp_path):
    """A closed descriptor's number goes to the next file that is opened."""
    done = run([*short, f"--output-json={tmp_path / 'out.json'}"], shell="2>&-")
    assert done.returncode == 0
    assert json.loads((tmp_path / "out.json").read_text())[0]["target"] == RECORD["target"]


@pytest.mark.parametrize("encoding", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_reader_that_is_gone_is_141(encoding, command):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, **encoding},
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_wrong_flag_is_3_where_nobody_can_read_why(tmp_path):
    assert run(["history", "--nothing"], shell="2>/dev/full").returncode == 3
    assert run(["history", "--nothing"], shell="2>&-").returncode == 3


ASCII = {
    "PYTHONIOENCODING": {"PYTHONIOENCODING": "ascii"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
    "LANG=C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "euc-kr": {"PYTHONIOENCODING": "euc-kr"},
}


@pytest.mark.parametrize("environment", ASCII.values(), ids=ASCII)
def test_an_output_of_few_letters_shows_the_others_as_json_writes_them(environment, short):
    done = run(short, environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\ud83d\ude80" in done.stdout
    done = run([*short, "--json"], environment=environment)
    encoding = environment.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    assert json.loads(done.stdout.decode(encoding))[0]["target"] == RECORD["target"]


def test_an_error_of_other_letters_reaches_an_ascii_terminal(tmp_path):
    done = run(["history", f"--history-file={tmp_path / '한글'}/x"], environment=ASCII["strict"])
    assert done.returncode in (0, 3)
    assert b"Traceback" not in done.stderr
