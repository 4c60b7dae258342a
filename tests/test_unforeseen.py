"""The last net: what was not foreseen becomes one sentence, and a file without secrets. See cli/test_net.py, too."""

import time

import pytest

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.errors import InputError, OutputError, UnforeseenError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    return tmp_path / "tracebacks"


def caught(error, *foreseen):
    with pytest.raises(type(error) if foreseen else UnforeseenError) as found, unforeseen.net(*foreseen):
        raise error
    return found.value


def test_what_was_foreseen_passes_as_it_is():
    for error in (InputError("x"), OutputError("x")):
        with pytest.raises(type(error)) as found, unforeseen.net():
            raise error
        assert found.value is error
    error = KeyError("x")
    assert caught(error, KeyError) is error


def test_a_sentence_names_the_kind_and_the_innermost_line_of_this_package(folder):
    with pytest.raises(UnforeseenError) as found, unforeseen.net():
        timestamps.to_text("no time")
    said = str(found.value)
    assert said.startswith("AttributeError in k8s_tuning/timestamps.py:")
    (file,) = folder.iterdir()
    assert said.endswith(f"its traceback is in {file}")
    assert "to_text" in file.read_text()


def test_a_fault_outside_the_package_has_its_own_line():
    with pytest.raises(RuntimeError) as found:
        raise RuntimeError("s3cr3t")
    assert unforeseen.report(found.value).startswith("RuntimeError in test_unforeseen.py:")


def test_the_faults_own_words_are_in_the_file_alone_and_nothing_keeps_the_fault(folder):
    error = caught(RuntimeError("about a Job"))
    assert "about a Job" not in str(error)
    assert "about a Job" in next(folder.iterdir()).read_text()
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    "words",
    [
        "https://hooks.slack.com/services/T0/B0/s3cr3t",
        "Authorization: Bearer s3cr3t",
        "{'password': 's3cr3t'}",
        "api_key=s3cr3t&x=1",
        "xoxb-1-s3cr3t",
        "eyJhbGciOiJIUzI1NiJ9.s3cr3t",
        "s3cr3t" * 5,
    ],
)
def test_what_looks_like_a_secret_is_in_no_traceback(words):
    text = unforeseen.traceback_text(RuntimeError(f"{words} and the end"))
    assert "s3cr3t" not in text
    assert "and the end" in text


def test_a_chain_is_kept_whole():
    error = RuntimeError("second")
    error.__cause__ = OSError("first")
    text = unforeseen.traceback_text(error)
    assert text.index("OSError: first") < text.index("RuntimeError: second")


@pytest.mark.parametrize("words", ["x" * 500_000, "token" * 100_000, "token" + " " * 500_000, "é" * 500_000])
def test_of_a_very_long_text_the_end_is_kept_and_soon(words):
    begin = time.process_time()
    text = unforeseen.traceback_text(RuntimeError(f"{words} and the end"))
    assert time.process_time() - begin < 10
    assert len(text) <= 200_000
    assert text.rstrip().endswith(" and the end")
