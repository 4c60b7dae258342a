"""Which certificates a client's context accepts: those that Go does, whatever the Python."""

from __future__ import annotations

import ssl

from k8s_tuning import certificates


def test_a_context_asks_for_no_more_than_go_does() -> None:
    """As Python 3.13 makes it, a context refuses the authorities of older clusters."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    made = certificates.as_go(context)
    assert not made.verify_flags & ssl.VERIFY_X509_STRICT
    assert made.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert made.hostname_checks_common_name is False


def test_the_systems_trust_is_checked_and_no_trust_is_not() -> None:
    system, none = certificates.trusting_system(), certificates.trusting_all()
    assert (system.verify_mode, system.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (none.verify_mode, none.check_hostname) == (ssl.CERT_NONE, False)
