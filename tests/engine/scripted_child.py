"""A child process that plays the script in its request, by the protocol of `varloom.jobs.child`.

A script is a list of moves: ["progress", done, total] | ["sleep", seconds] | ["die", signal] | ["exit", status] |
["say", text to stderr] | ["spawn"] (a grandchild that sleeps for ever) | ["fail", error] | ["wait", path of a file] |
["done", result].
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.01)


def spawn(pid_file):
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(pid_file).write_text(str(started.pid))


MOVES = {
    "progress": lambda done, total: say({"progress": {"done": done, "total": total, "unit": "bytes"}}),
    "sleep": time.sleep,
    "wait": wait_for,
    "die": lambda number: os.kill(os.getpid(), number),
    "exit": os._exit,
    "say": lambda text: sys.stderr.write(text + "\n"),
    "spawn": spawn,
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
        play(json.loads(line)["run"]["script"])


if __name__ == "__main__":
    main()
