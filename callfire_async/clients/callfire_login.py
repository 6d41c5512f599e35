"""Who one is at CallFire: the same for API 1.1 and v2."""

from __future__ import annotations

import base64
import os

from callfire_async.errors import ConfigurationError


def signed_in(login: str | None, password: str | None) -> tuple[str, dict[str, str]]:
    """The login and the header that carries it, from the environment where they are not given; ConfigurationError where there are none."""
    login = login or os.environ.get("CALLFIRE_LOGIN")
    password = password or os.environ.get("CALLFIRE_PASSWORD")
    if not login or not password or not isinstance(login, str) or not isinstance(password, str) or ":" in login:
        raise ConfigurationError(
            "CallFire needs an API login (without a colon) and password, both texts: pass them, or set CALLFIRE_LOGIN and CALLFIRE_PASSWORD. "
            "They are generated on CallFire's developer page; the ones of the website do not work."
        )
    credentials = base64.b64encode(f"{login}:{password}".encode()).decode()
    return login, {"Authorization": f"Basic {credentials}"}
