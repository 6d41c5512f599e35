"""The command line, run as a user runs it."""

import asyncio
import re
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

import callfire_async


async def run(*words: str) -> tuple[int, str, str]:
    """Exit code, output and error output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "callfire_async",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def plain(text: str) -> str:
    """Without the boxes, and the line breaks in them, that depend on the terminal."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())


async def test_it_says_its_version_and_how_to_begin() -> None:
    code, out, _ = await run("--version")
    assert (code, out) == (0, f"callfire-async {callfire_async.__version__}\n")
    code, out, _ = await run("--help")
    assert code == 0
    assert "Begin with: callfire-async demo" in plain(out)
    for command in ("demo", "sandbox"):
        assert command in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sandbox", "--postbacks", "sometimes"], "postbacks is one of delivered, lost"),
        (["sandbox", "--processing", "-1"], "Invalid value for '--processing'"),
        (["demo", "--provider", "acme"], "'acme' is none of callfire"),
    ],
)
async def test_wrong_words_are_told_without_a_traceback(words: list[str], sentence: str) -> None:
    code, _, err = await run(*words)
    assert code == 2
    assert sentence in plain(err)
    assert "Traceback" not in err


async def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = await run("sandbox", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "Another --port may be free." in err
    assert "Traceback" not in err


async def test_the_sandbox_runs_until_it_is_stopped_and_what_it_says_to_type_works() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "callfire_async",
        "sandbox",
        "--processing",
        "0",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(20):
        while "/subscription" not in said:
            said += (await process.stdout.readline()).decode()
    match = re.search(r'CallFire\("(.+)", "(.+)", base_url="(.+)"\)', said)
    assert match is not None
    login, password, url = match.groups()
    async with httpx.AsyncClient(auth=(login, password)) as http:
        answer = await http.post(f"{url}/number/order", data={"localCount": "2", "City": "Seattle"})
    assert answer.status_code == 201
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "1 orders accepted, 0 calls that came within a second" in out.decode()


async def test_without_typer_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('no typer', name='typer')")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from callfire_async.__main__ import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().strip().endswith("Run: pip install 'callfire-async[cli]'")
