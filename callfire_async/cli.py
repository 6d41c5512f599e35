"""The command line: it parses words, and leaves the work to the library."""

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from callfire_async._version import __version__
from callfire_async.errors import ConfigurationError

if TYPE_CHECKING:
    from callfire_async.sandbox import Sandbox

app = typer.Typer(
    name="callfire-async",
    help="Order phone numbers from CallFire or CM.com and wait for them. Begin with: callfire-async demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it would show local variables, passwords among them
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callfire-async {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    provider: Annotated[
        str, typer.Option(help="Whom the sandbox stands in for: callfire, callfire-v2 or cm.")
    ] = "callfire",
    seed: Annotated[int | None, typer.Option(help="Makes the sandbox's numbers and ids the same each time.")] = None,
) -> None:
    """Watch five orders end in five ways. Needs no account: sandbox, listener and client run in this process. Takes about seven seconds."""
    from callfire_async.demo import SCENES, run

    if provider not in SCENES:
        raise typer.BadParameter(f"{provider!r} is none of {', '.join(SCENES)}.")
    if not asyncio.run(run(typer.echo, provider=provider, seed=seed)):
        raise typer.Exit(1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    processing: Annotated[float, typer.Option(min=0.0, help="Seconds from an order's acceptance to its end.")] = 3.0,
    postbacks: Annotated[
        str, typer.Option(help="delivered, lost, twice, late, early, out_of_order, forged or malformed.")
    ] = "delivered",
    seed: Annotated[int | None, typer.Option(help="Makes numbers and ids the same each time.")] = None,
) -> None:
    """Run a stand-in for CallFire and CM.com on this machine until Ctrl-C, and say how to point a client at it."""
    from callfire_async.sandbox import Sandbox

    try:
        server = Sandbox(port=port, processing=processing, postbacks=postbacks, seed=seed)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        asyncio.run(_serve(server))
    except OSError as exc:
        typer.echo(
            f"The sandbox cannot listen on port {port}: {exc.strerror or exc}. Another --port may be free.", err=True
        )
        raise typer.Exit(1) from exc


@app.command(name="postgres-schema")
def postgres_schema(
    schema: Annotated[str, typer.Option(help="Name of the schema, as given to PostgresStore.")] = "callfire_async",
    role: Annotated[str | None, typer.Option(help="Also grant this role what a store needs.")] = None,
    after: Annotated[
        int, typer.Option(min=0, help="Version of the tables that are there; 0 where there are none.")
    ] = 0,
) -> None:
    """Print the SQL that makes the tables of a PostgreSQL store, for an owner of the database to run."""
    from callfire_async.stores.postgres_schema import script

    try:
        typer.echo(script(schema, after=after, role=role), nl=False)
    except ConfigurationError as exc:
        raise typer.BadParameter(str(exc)) from exc


async def _serve(server: "Sandbox") -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
            asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with server:
        typer.echo(
            _HOW_TO.format(
                url=server.callfire_url,
                v2_url=server.callfire_v2_url,
                login=server.login,
                password=server.password,
                cm_url=server.cm_url,
                cm_token=server.cm_token,
                cm_account=server.cm_account,
            )
        )
        with contextlib.suppress(asyncio.CancelledError):
            await stopped.wait()
        typer.echo(
            f"\nStopped. {server.purchases} orders accepted, {server.violations} calls that came within a second of the one before."
        )


_HOW_TO = """\
A sandbox of CallFire (1.1 and v2) and CM.com listens on this machine.
Stop it with Ctrl-C. Point a client at it:

    CallFire("{login}", "{password}", base_url="{url}")
    CallFireV2("{login}", "{password}", base_url="{v2_url}")
    CMVoice("{cm_token}", account="{cm_account}", base_url="{cm_url}")

or look at it by hand:

    curl -u {login}:{password} -d localCount=2 -d City=Seattle {url}/number/order
    curl -u {login}:{password} {url}/number/order/ID

Postbacks go to every subscription. The sandbox sends them for orders, which CallFire itself does not document:

    curl -u {login}:{password} -d TriggerEvent=CAMPAIGN_FINISHED -d Endpoint=LISTENER_URL {url}/subscription
"""
