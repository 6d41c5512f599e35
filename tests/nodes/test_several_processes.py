"""Several processes on one database: every order is bought once and settles everywhere, whoever asks, hears, is killed or restarted.

CALLFIRE_TEST_NODE_ORDERS is how many orders (default 60; they cost a second per hundred), CALLFIRE_TEST_NODE_KILLS how many processes are killed, one a second (default 3).
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from callfire_async.sandbox import Sandbox

if TYPE_CHECKING:
    from postgres_server import PostgresServer

ORDERS = int(os.environ.get("CALLFIRE_TEST_NODE_ORDERS", "60"))
KILLS = int(os.environ.get("CALLFIRE_TEST_NODE_KILLS", "3"))
WORKERS = 4
WORKER = Path(__file__).with_name("worker.py")


class Node:
    """A worker process, and the address its listener has told."""

    def __init__(self, process: asyncio.subprocess.Process, listener: str) -> None:
        self.process = process
        self.listener = listener

    @classmethod
    async def start(cls, sandbox: Sandbox, database: str, seed: int, numbers: list[str]) -> "Node":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            sandbox.callfire_url,
            database,
            str(seed),
            *numbers,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        return cls(process, json.loads(await process.stdout.readline())["listener"])

    async def counted(self) -> Counter[str]:
        """What it has counted once every order has ended for it."""
        assert self.process.stdout is not None
        return Counter(json.loads(await self.process.stdout.readline()))

    async def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()

    async def kill(self) -> None:
        assert self.process.returncode is None, "it died by itself"
        self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()


@asynccontextmanager
async def workers(sandbox: Sandbox, database: str, numbers: list[str]) -> AsyncIterator[list[Node]]:
    nodes: list[Node] = []
    try:
        for seed in range(WORKERS):
            nodes.append(await Node.start(sandbox, database, seed, numbers))  # noqa: PERF401 - those that run must be killed
        yield nodes
    finally:
        for node in nodes:
            if node.process.returncode is None:
                await node.kill()


@asynccontextmanager
async def balancer(sandbox: Sandbox, nodes: list[Node], chance: random.Random) -> AsyncIterator[Counter[str]]:
    """What stands in front of the workers: it hands each postback to one of them, or loses it."""
    sent: Counter[str] = Counter()

    async def forward(request: web.Request) -> web.Response:
        if chance.random() < 0.5:
            sent["lost"] += 1
            return web.Response()
        try:
            async with session.post(chance.choice(nodes).listener, data=await request.read()) as answer:
                sent[str(answer.status)] += 1
        except aiohttp.ClientError:
            sent["nobody there"] += 1
        return web.Response()

    app = web.Application()
    app.router.add_post("/", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        sandbox.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        try:
            yield sent
        finally:
            await runner.cleanup()


def check_ledger(sandbox: Sandbox) -> None:
    bought = Counter(order.form["Numbers"] for order in sandbox.orders.values())
    assert [number for number, times in bought.items() if times > 1] == [], "bought twice"
    assert sandbox.violations == 0


@pytest.mark.timeout(120)
async def test_every_order_is_bought_once_and_settles_in_every_process(postgres_url: str) -> None:
    numbers, chance = [f"1206{n:07}" for n in range(ORDERS)], random.Random(7)
    began = time.monotonic()
    async with (
        Sandbox(seed=7, processing=2.0) as sandbox,
        workers(sandbox, postgres_url, numbers) as nodes,
    ):
        async with balancer(sandbox, nodes, chance) as postbacks:
            counted = await asyncio.gather(*(node.counted() for node in nodes))
            await asyncio.gather(*(node.end() for node in nodes))
        print(f"{ORDERS} orders in {time.monotonic() - began:.1f} s; postbacks {dict(postbacks)}")
        for counts in counted:
            print(dict(counts))
        check_ledger(sandbox)
        assert sandbox.purchases == ORDERS
        assert [counts["settled"] for counts in counted] == [ORDERS] * WORKERS
        assert sum(counts["placed"] for counts in counted) == ORDERS
        assert sum(counts["polls"] > 0 for counts in counted) > 1, "polls are shared"


@pytest.mark.timeout(120)
async def test_processes_die_and_the_database_restarts_on_the_way(
    postgres_server: "PostgresServer", postgres_url: str
) -> None:
    numbers, chance = [f"1206{n:07}" for n in range(ORDERS)], random.Random(8)
    began = time.monotonic()
    async with (
        Sandbox(seed=8, processing=2.0) as sandbox,
        workers(sandbox, postgres_url, numbers) as nodes,
    ):
        async with balancer(sandbox, nodes, chance) as postbacks:
            for kill in range(KILLS):
                await asyncio.sleep(1.0)
                place = chance.randrange(WORKERS)
                await nodes[place].kill()
                if kill in (KILLS // 3, 2 * KILLS // 3):
                    await asyncio.to_thread(postgres_server.stop)
                    await asyncio.sleep(0.5)
                    await asyncio.to_thread(postgres_server.start)
                nodes[place] = await Node.start(sandbox, postgres_url, WORKERS + kill, numbers)
            counted = await asyncio.gather(*(node.counted() for node in nodes))
            await asyncio.gather(*(node.end() for node in nodes))
        print(f"{ORDERS} orders, {KILLS} kills in {time.monotonic() - began:.1f} s; postbacks {dict(postbacks)}")
        for counts in counted:
            print(dict(counts))
        check_ledger(sandbox)
        for counts in counted:
            assert counts["settled"] + counts["in doubt"] == ORDERS
        in_doubt = max(counts["in doubt"] for counts in counted)
        assert sandbox.purchases >= ORDERS - in_doubt, "an order that settled was bought"
