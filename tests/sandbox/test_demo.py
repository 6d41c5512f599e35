"""What `callfire-async demo` tells a newcomer is true."""

from __future__ import annotations

import asyncio

from callfire_async.demo import SCENES, run


async def test_each_scene_ends_and_says_so() -> None:
    told: dict[str, list[str]] = {name: [] for name in SCENES}
    calm = await asyncio.gather(*(run(told[name].append, provider=name, seed=3) for name in SCENES))
    assert all(calm)
    for name, lines in told.items():
        text = "\n".join(lines)
        assert "No two calls about an order came within a second" in text
        assert "confirmed by asking" in text
        assert "found by asking" in text
        assert "1 short" in text
        assert "OrderFailedError" in text
        assert ("final in the answer" in text) == (name == "cm")
        assert len([line for line in text.splitlines() if line[:3] in {f"{letter}: " for letter in "ABCDE"}]) == 5
