"""E-mail addresses as Alertmanager's files have them, read by Go's net/mail: RFC 5322 with names. Pure.

`Ops <ops@example.com>`, `"Team, Ops" <ops@example.com>`, several with commas between, quoted local parts, groups.
"""

from __future__ import annotations

import email.policy
import re
from collections.abc import Sequence
from email import errors
from email.headerregistry import Address

from k8s_tuning.errors import InputError

# What the standard library calls a defect, and Go takes: a full stop in a name, an empty entry between two commas.
_HARMLESS = (errors.ObsoleteHeaderDefect, errors.NonASCIILocalPartDefect)


def parse_mailboxes(text: str) -> list[Address]:
    """Every address of one text, at least one; a domain beyond ASCII as IDNA has it. InputError where one is none."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise InputError(f"{text!r} is not an e-mail address: it has a control character or a line break")
    try:
        header = email.policy.default.header_factory("to", text)
        found: Sequence[Address] = header.addresses
        if any(not isinstance(defect, _HARMLESS) for defect in header.defects):
            found = ()
    except (ValueError, LookupError, AttributeError, TypeError, errors.MessageError):  # the parser's own faults
        found = ()
    if not found or not all(one.username and one.domain for one in found):
        raise InputError(f"{text!r} is not an e-mail address; write NAME@DOMAIN, or Name <NAME@DOMAIN>, commas between")
    return [Address(one.display_name, one.username, _ascii(one.domain, text)) for one in found]


def _ascii(domain: str, text: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        raise InputError(f"{text!r} is not an e-mail address: {domain!r} is not a domain name") from None
