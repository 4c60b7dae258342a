"""Certificates judged as Go judges them, on every Python: what kubectl and Alertmanager accept is accepted here.

Python 3.13 began to refuse, by VERIFY_X509_STRICT, authorities without the extensions that RFC 5280 asks for, which the
clusters of older installers have; Go never looked at these. Rules: crypto/x509 (Certificate.Verify)
"""

from __future__ import annotations

import ssl


def as_go(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, changed so that it accepts what Go accepts and no more.

    Any certificate of the CA file is an anchor, an intermediate too; the host must be among the alternative names (a
    common name is none).
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    return context


def trusting_system() -> ssl.SSLContext:
    """A client's context that trusts what the machine trusts: $SSL_CERT_FILE, $SSL_CERT_DIR, or the system's own."""
    return as_go(ssl.create_default_context())


def trusting_all() -> ssl.SSLContext:
    """A client's context that checks no certificate: for those who have asked for just that."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
