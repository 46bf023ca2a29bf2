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


def play(script):
    for move, *values in script:
        match move:
            case "progress":
                say({"progress": {"done": values[0], "total": values[1], "unit": "bytes"}})
            case "sleep":
                time.sleep(values[0])
            case "wait":
                wait_for(values[0])
            case "die":
                os.kill(os.getpid(), values[0])
            case "exit":
                os._exit(values[0])
            case "say":
                print(values[0], file=sys.stderr, flush=True)
            case "spawn":
                started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                Path(values[0]).write_text(str(started.pid))
            case "fail":
                say({"failed": values[0]})
            case "done":
                say({"done": {"result": values[0], "warnings": []}})


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
