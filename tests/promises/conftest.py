"""Each promise of DESIGN.md, section 1, is tested once and held for every provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from adapters import ADAPTERS

if TYPE_CHECKING:
    from adapters import Adapter


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def provider(request: pytest.FixtureRequest) -> Adapter:
    adapter: Adapter = request.param
    return adapter
