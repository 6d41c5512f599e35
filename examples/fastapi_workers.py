"""Several web workers, one PostgreSQL database: any worker takes an order, any may be told of its end, and any can be asked to wait for it.

    pip install 'callfire-async[postgres]' fastapi uvicorn
    DATABASE_URL=postgresql://user:password@host/database python examples/fastapi_workers.py

This starts four workers and buys ten numbers from a sandbox on this machine, which costs nothing. In earnest, set CALLFIRE_LOGIN, CALLFIRE_PASSWORD,
DATABASE_URL, HOOKS_URL and HOOKS_TOKEN (16 characters or more that nobody can guess, the same for all workers), and run

    uvicorn fastapi_workers:app --app-dir examples --workers 4
"""

import asyncio
import os
import secrets
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI, HTTPException

from callfire_async import CallFire, InvalidOrderError, Listener, OrderFailedError, OrderInDoubtError, OrderTimeoutError
from callfire_async.sandbox import Sandbox


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for each worker, open as long as the worker runs."""
    # Mounted, not served: each worker takes in what the load balancer gives it. The token is the same for all.
    listener = Listener(serve=False, public_url=os.environ["HOOKS_URL"], token=os.environ["HOOKS_TOKEN"])
    app.mount("/hooks", listener.asgi)
    base_url = os.environ.get("CALLFIRE_URL", "https://www.callfire.com/api/1.1/rest")
    async with CallFire(base_url=base_url, store=os.environ["DATABASE_URL"], listener=listener) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)
WORKERS = 4


@app.get("/worker")
async def worker() -> int:
    return os.getpid()


@app.post("/orders/{key}")
async def order(key: str, local: int = 1) -> dict[str, str]:
    """Order under a key of the caller's: asked again, here or at another worker, it buys nothing more."""
    try:
        placed = await app.state.client.order(local=local, key=key)
    except (OrderInDoubtError, InvalidOrderError) as exc:
        raise HTTPException(409, str(exc)) from exc
    return {"id": placed.id, "worker": str(os.getpid())}


@app.get("/orders/{order_id}")
async def wait(order_id: str, seconds: float = 25.0) -> dict[str, object]:
    """Wait for the end of an order, whichever worker has placed it. 202 means: not yet, ask again."""
    followed = await app.state.client.attach(order_id)
    try:
        state = await followed.result(timeout=min(seconds, 60.0))
    except OrderTimeoutError as exc:
        raise HTTPException(202, str(exc)) from exc
    except OrderFailedError as exc:
        raise HTTPException(410, str(exc)) from exc
    return {"status": state.status, "numbers": state.numbers, "worker": str(os.getpid())}


async def customer(http: httpx.AsyncClient, key: str) -> tuple[str, str]:
    """Order and wait; the workers that did the one and the other."""
    ordered = (await http.post(f"/orders/{key}")).raise_for_status().json()
    ended = (await http.get(f"/orders/{ordered['id']}")).raise_for_status().json()
    print(
        f"  {key}: ordered at worker {ordered['worker']}, {ended['status']} at {ended['worker']}: {ended['numbers'][0]}"
    )
    return ordered["worker"], ended["worker"]


async def show() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with Sandbox(processing=2.0) as sandbox:
        os.environ |= {
            "CALLFIRE_URL": sandbox.callfire_url,
            "CALLFIRE_LOGIN": sandbox.login,
            "CALLFIRE_PASSWORD": sandbox.password,
            "HOOKS_URL": f"{url}/hooks",
            "HOOKS_TOKEN": secrets.token_urlsafe(32),
        }
        sandbox.subscribe(f"{url}/hooks/{os.environ['HOOKS_TOKEN']}")
        workers = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "fastapi_workers:app", "--app-dir", str(Path(__file__).parent)),
            *("--workers", str(WORKERS), "--port", url.rpartition(":")[2], "--log-level", "warning"),
        )
        # A connection for each request, so that it may come to any worker.
        limits = httpx.Limits(max_keepalive_connections=0)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=60.0, limits=limits) as http:
                await all_up(http)
                run = secrets.token_hex(3)  # keys are for ever: those of an earlier run have been used
                pairs = await asyncio.gather(*(customer(http, f"{run} {n}") for n in range(10)))
        finally:
            workers.terminate()
            await workers.wait()
        elsewhere = sum(ordered != ended for ordered, ended in pairs)
        print(
            f"{sandbox.purchases} purchases by {len(Counter(dict(pairs)))} workers; {elsewhere} waits at another worker than the order's."
        )
        print(f"{sandbox.violations} calls about one order within a second.")


async def all_up(http: httpx.AsyncClient) -> None:
    """Until four different workers have answered, or ten seconds have passed."""
    seen: set[str] = set()
    for _ in range(100):
        answers = await asyncio.gather(*(http.get("/worker") for _ in range(8)), return_exceptions=True)
        seen |= {answer.text for answer in answers if isinstance(answer, httpx.Response)}
        if len(seen) == WORKERS:
            return
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    if "DATABASE_URL" not in os.environ:
        sys.exit(
            "Set DATABASE_URL to the address of a PostgreSQL database, such as postgresql://user:password@localhost/database."
        )
    asyncio.run(show())
