"""What Kubernetes' own schema refuses, by field."""

import pytest
from tests.stages.validate.manifests import C0, POD, changed, good_job, validate

TWICE = {
    "env": ("containers", [0, "env"], {"name": "A"}, f"{POD}.containers[0].env[1].name: 'A' is there twice"),
    "mount": ("containers", [0, "volumeMounts"], {"name": "v", "mountPath": "/x"}, "volumeMounts[1].mountPath: '/x'"),
    "port": ("containers", [0, "ports"], {"containerPort": 80}, "ports[1].containerPort: 80 is there twice"),
    "volume": ("volumes", [], {"name": "v", "emptyDir": {}}, f"{POD}.volumes[1].name: 'v' is there twice"),
    "pull secret": ("imagePullSecrets", [], {"name": "s"}, "imagePullSecrets[1].name: 's' is there twice"),
    "host alias": ("hostAliases", [], {"ip": "1.2.3.4"}, "hostAliases[1].ip: '1.2.3.4' is there twice"),
    "gate": ("schedulingGates", [], {"name": "a/b"}, "schedulingGates[1].name: 'a/b' is there twice"),
}


@pytest.mark.parametrize(("field", "path", "entry", "said"), TWICE.values(), ids=TWICE)
def test_an_entry_that_server_side_apply_refuses_as_a_duplicate_is_an_error(field, path, entry, said):
    """The server answers it with a 500 as if it were a fault of its own."""
    job = good_job()
    place = job["spec"]["template"]["spec"]
    for step in (field, *path[:-1]):
        place = place[step] if isinstance(step, int) or step in place else place.setdefault(step, [])
    if path:
        place[path[-1]] = [dict(entry), dict(entry)]
    else:
        place += [dict(entry), dict(entry)]
    found = validate(job)
    assert not found.valid
    assert [error for error in found.errors if said in error], found.errors


def test_a_default_counts_as_its_value():
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]
    job = good_job()
    job["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    (error,) = validate(job).errors
    assert "ports[1].containerPort: 80, 'TCP' is there twice, here and in entry 0" in error


def test_a_set_holds_each_value_once():
    job = changed(["metadata", "finalizers"], ["a/b", "a/c", "a/b"])
    assert "metadata.finalizers[2]: 'a/b' is there twice" in validate(job).errors[0]


@pytest.mark.parametrize("entries", [[{"name": "A"}, {"name": "B"}], ["A", "A"], [None, None], [{"name": "A"}, 7], 7])
def test_entries_that_differ_or_are_none_are_not_duplicates_of_each_other(entries):
    job = good_job()
    job["spec"]["template"]["spec"]["containers"][0]["env"] = entries
    assert not [error for error in validate(job).errors if "twice" in error]


def test_a_wrong_value_of_an_environment_variable_is_not_repeated():
    assert "98765" not in str(validate(changed((*C0, "env"), [{"name": "PIN", "value": 98765}])).errors)
