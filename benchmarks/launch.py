"""Run one program and print what it took, as JSON; the program stands on standard input, as JSON too.

A process of its own and a small one: Linux counts the memory of what starts a program into the program's peak, so
nothing that a large Python starts could ever look small.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Read ``argv``, ``env`` and ``cwd``; print ``wall``, ``cpu`` (seconds), ``peak`` (bytes), ``status``, ``said``."""
    order = json.load(sys.stdin)
    started = time.perf_counter()
    process = subprocess.Popen(
        order["argv"],
        env={**os.environ, **order["env"]},
        cwd=order["cwd"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    result = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "status": process.returncode,
        "said": said,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
