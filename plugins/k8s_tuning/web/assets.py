"""The pages' own files: scripts, styles, icons. Nothing comes from elsewhere."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from k8s_tuning.web.entry import Message

FOLDER = Path(__file__).parent / "static"


@cache
def version(name: str) -> str:
    """Changes with the file: a browser that keeps the old one asks for the new."""
    return sha256((FOLDER / name).read_bytes()).hexdigest()[:10]


class Assets(StaticFiles):
    """FOLDER's files. Asked for by their present version (`?v=`), they may be kept for good; else they are checked."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Message) -> Response:
        """As StaticFiles does; private, for a login stands before them."""
        answer = await super().get_response(path, scope)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("v")
        is_present = answer.status_code in (200, 304) and asked == [version(path)]
        answer.headers["Cache-Control"] = "private, max-age=31536000, immutable" if is_present else "private, no-cache"
        return answer
