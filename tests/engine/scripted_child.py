"""A child process that plays the script in its request, by the protocol of `varloom.jobs.child`.

A script is a list of moves: ["progress", done, total] | ["sleep", seconds] | ["die", signal] | ["exit", status] |
["say", text to stderr] | ["spawn"] (a grandchild that sleeps for ever) | ["fail", error] | ["wait", path of a file] |
["shell", command that goes on by itself] | ["touch", path of a file] |
["done", result] | ["raw", text to stdout] | ["flood", bytes to stdout, then to stderr, without a line end] |
["close"] (standard output) | ["deafen"] (to SIGTERM) | ["daemon", path] (a grandchild that leaves the group and keeps
the pipes open) | ["environment", path] | ["kill_worker"] | ["freeze"] (itself, by SIGSTOP) | ["hold", seconds] (the
interpreter, in native code).
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from varloom.jobs.attempt_log import said_into


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.01)


def hold_the_interpreter(seconds):
    """Native code that does not give the interpreter's lock back."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def spawn(pid_file, **options):
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **options)
    Path(pid_file).write_text(str(started.pid))


def flood(to_stdout, to_stderr):
    sys.stderr.write("x" * to_stderr)
    sys.stderr.flush()
    raw("x" * to_stdout)


def raw(text):
    sys.stdout.write(text)
    sys.stdout.flush()


MOVES = {
    "progress": lambda done, total: say({"progress": {"done": done, "total": total, "unit": "bytes"}}),
    "sleep": time.sleep,
    "wait": wait_for,
    "die": lambda number: os.kill(os.getpid(), number),
    "exit": os._exit,
    "kill_worker": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "freeze": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hold": hold_the_interpreter,
    "say": lambda text: (sys.stderr.write(text + "\n"), sys.stderr.flush()),
    "spawn": spawn,
    "shell": lambda command: subprocess.Popen(["/bin/sh", "-c", command]),
    "touch": lambda path: Path(path).touch(),
    "raw": raw,
    "flood": flood,
    "close": lambda: os.close(1),
    "deafen": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "daemon": lambda pid_file: spawn(pid_file, start_new_session=True),
    "environment": lambda path: Path(path).write_text(json.dumps(dict(os.environ))),
    "fail": lambda error: say({"failed": error}),
    "done": lambda result: say({"done": {"result": result, "warnings": []}}),
}


def play(script):
    for move, *values in script:
        MOVES[move](*values)


def main():
    lines = []
    arrived = threading.Condition()

    def read():
        for line in sys.stdin:
            with arrived:
                lines.append(line)
                arrived.notify()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        with arrived:
            while not lines:
                arrived.wait()
            line = lines.pop(0)
        asked = json.loads(line)
        with said_into(asked.get("log"), [2]):
            play(asked["run"]["script"])


if __name__ == "__main__":
    main()
