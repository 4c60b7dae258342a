"""A token as it goes into a header: what copying adds around it is dropped, what breaks it is refused by name."""

from __future__ import annotations

import re

from k8s_tuning.errors import ConfigError

# A header's value is visible ASCII.
_TOKEN = re.compile(r"[\x21-\x7e]+")


def clean_token(token: str, what: str) -> str:
    """The token without white space around it. ConfigError, which does not show it, where more than that is wrong."""
    token = token.strip()
    if not token:
        raise ConfigError(f"{what} is empty")
    if not _TOKEN.fullmatch(token):
        kind = "white space inside" if re.search(r"\s", token) else "a character that no token has"
        raise ConfigError(f"{what} has {kind}; copy it again, in one piece")
    return token
