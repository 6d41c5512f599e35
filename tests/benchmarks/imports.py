"""`import callfire_async` against `import httpx, aiohttp, xmltodict`, each in a new process.

python tests/benchmarks/imports.py [rounds]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

CONTESTANTS = ("httpx, aiohttp, xmltodict", "httpx, httpx_aiohttp, xmltodict", "callfire_async")


def took(modules: str) -> float:
    """Milliseconds of CPU, which other jobs on the machine disturb less than those of a clock."""
    code = f"import time; begin = time.process_time(); import {modules}; print(time.process_time() - begin)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) * 1e3  # noqa: S603 - ours


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for modules in CONTESTANTS:
        took(modules)  # writes the compiled files
    found = [[took(modules) for modules in CONTESTANTS] for _ in range(rounds)]
    for n, modules in enumerate(CONTESTANTS):
        print(
            f"import {modules:32} {statistics.median(row[n] for row in found):6.1f} ms, "
            f"ratio {statistics.median(row[n] / row[0] for row in found):.2f}"
        )
    print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
