"""Tests mirror the tree: a module that matters has a test of its name, or stands here with the test that is its."""

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "plugins/k8s_tuning"
# Shorter ones are tested by what they are for.
MATTERS = 80

# What only faces have, and parts of one thing: whoever changes one of these runs the test that stands beside it.
TESTED_BY = {
    "alerts/channels/alertmanager.py": "alerts/channels/test_every_channel.py",
    "alerts/channels/email_smtp.py": "alerts/channels/test_every_channel.py",
    "alerts/channels/kind.py": "alerts/channels/test_shapes.py",
    "alerts/channels/slack_api.py": "alerts/channels/test_every_channel.py",
    "alerts/channels/slack_webhook.py": "alerts/channels/test_every_channel.py",
    "cluster/exchange.py": "cluster/test_bounds.py",
    "alerts/doctor.py": "loop/test_doctor.py",
    "alerts/judge.py": "alerts/test_decide.py",
    "alerts/ledger_state.py": "alerts/test_ledger.py",
    "alerts/matcher_text.py": "alerts/test_matchers.py",
    "alerts/notice.py": "alerts/test_decide.py",
    "alerts/observation.py": "alerts/test_decide.py",
    "alerts/plan.py": "alerts/test_decide.py",
    "alerts/posting.py": "alerts/channels/test_ways.py",
    "alerts/reading.py": "alerts/test_config.py",
    "alerts/words.py": "alerts/test_one_cause.py",
    "cli/__init__.py": "cli/test_net.py",
    "cli/alert_routes.py": "cli/test_alert.py",
    "cli/flags.py": "cli/test_guides.py",
    "cli/streams.py": "cli/test_terminals.py",
    "cluster/client.py": "cluster/test_connection.py",
    "cluster/faults.py": "cluster/test_refusals.py",
    "cluster/writer.py": "cluster/test_apply.py",
    "errors.py": "test_odd_objects.py",
    "metrics/collector.py": "metrics/test_metrics.py",
    "operators/alert.py": "operators/test_monitor.py",
    "operators/bundles.py": "operators/test_stage.py",
    "operators/pipeline.py": "dags/test_pipeline_runs.py",
    "queries/columns.py": "queries/test_periods.py",
    "queries/history_rows.py": "queries/test_history_index.py",
    "queries/job_models.py": "web/test_app.py",
    "queries/jobs.py": "web/test_app.py",
    "queries/ledger_entries.py": "queries/test_notices.py",
    "queries/ledger_rows.py": "queries/test_notices.py",
    "queries/series.py": "queries/test_history_index.py",
    "queries/target.py": "web/test_app.py",
    "queries/view_models.py": "web/test_app.py",
    "runner/steps.py": "test_runner.py",
    "storage/jsonl.py": "storage/test_append_log.py",
    "storage/lines.py": "storage/test_append_log.py",
    "web/api.py": "web/test_app.py",
    "yamlnodes.py": "test_yamlfile.py",
}


def own_test(module):
    """Where a module's test is by its name: `a/b.py` by `a/test_b.py`, a package by `test_a.py` beside or in it."""
    if module.name == "__init__.py":
        name = f"test_{module.parent.name}.py"
        places = [TESTS / module.parent.parent / name, TESTS / module.parent / name]
    else:
        places = [TESTS / module.parent / f"test_{module.name}"]
    return next((place for place in places if place.exists()), None)


def modules():
    """Those that matter, from the package's folder."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE)
        if len(path.read_text(encoding="utf-8").splitlines()) > MATTERS and module != Path("__init__.py"):
            yield module


def test_each_module_that_matters_has_a_test_of_its_name_or_one_that_is_named_here():
    assert [str(one) for one in modules() if own_test(one) is None and str(one) not in TESTED_BY] == []


def test_what_is_named_here_is_there_and_needed():
    assert [test for test in TESTED_BY.values() if not (TESTS / test).exists()] == []
    needed = {str(one) for one in modules() if own_test(one) is None}
    assert sorted(set(TESTED_BY) - needed) == []
