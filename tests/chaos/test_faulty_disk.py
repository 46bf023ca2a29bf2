"""The faulty disk does what it is told, to Python's own writes and to Arrow's, while the process runs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.chaos import faulty_disk
from tests.chaos.faulty_disk import FaultyDisk

pytestmark = pytest.mark.skipif(not faulty_disk.is_possible(), reason="needs Linux and a C compiler")

WRITER = """
import errno, os, sys
import pyarrow as pa
import pyarrow.parquet as pq
folder = sys.argv[1]
names = {errno.ENOSPC: "enospc", errno.EIO: "eio"}

def tried(what):
    try:
        what()
    except OSError as error:
        number = error.errno or next((n for n in names if f"errno {n}" in str(error)), None)
        return names.get(number, repr(error))
    return "written"

def plainly():
    with open(f"{folder}/plain", "wb", buffering=0) as file:
        return file.write(b"x" * 1000)

def synced():
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

def in_pieces():
    descriptor = os.open(f"{folder}/pieces", os.O_RDWR | os.O_CREAT)
    try:
        return os.pwritev(descriptor, [b"x" * 600, b"y" * 400], 0)
    finally:
        os.close(descriptor)

def linked():
    if os.path.exists(f"{folder}/link"):
        os.unlink(f"{folder}/link")
    os.link(f"{folder}/base", f"{folder}/link")

for line in sys.stdin:
    if line.strip() == "length":
        print(plainly(), in_pieces(), flush=True)
    else:
        arrow = tried(lambda: pq.write_table(pa.table({"a": list(range(1000))}), f"{folder}/arrow"))
        renamed = tried(lambda: os.rename(f"{folder}/old", f"{folder}/new"))
        print(tried(plainly), arrow, tried(synced), renamed, tried(in_pieces), tried(linked), flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "disk"
    made.mkdir()
    for name in ("old", "base", "pieces"):
        (made / name).touch()
    return made


@pytest.fixture
def disk(tmp_path, folder):
    return FaultyDisk(tmp_path, folder, seed=1)


@pytest.fixture
def ask(folder, disk):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        env=disk.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def asked(what=""):
        process.stdin.write(what + "\n")
        process.stdin.flush()
        return process.stdout.readline().split()

    yield asked
    process.communicate()


def test_it_is_switched_while_a_process_runs(ask, disk, folder):
    disk.set(enospc=1.0)
    assert ask() == ["enospc"] * 6
    disk.set(eio=1.0)
    assert ask() == ["eio"] * 6
    disk.set()
    assert ask() == ["written"] * 6
    disk.set(short=1.0)
    assert ask("length") == ["500", "600"]
    disk.set(slow=1.0)
    assert ask("length") == ["1000", "1000"]
    assert {kind for kind, count in disk.fired().items() if count} == set(faulty_disk.KINDS)


def test_other_folders_are_left_alone(tmp_path, disk):
    disk.set(enospc=1.0)
    code = f"open({str(tmp_path / 'elsewhere')!r}, 'w').write('x')"
    subprocess.run([sys.executable, "-c", code], env=disk.environment, check=True)
    assert not disk.fired()
