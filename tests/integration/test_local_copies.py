"""Copies of what lies elsewhere: filled once, whole or not there, bounded, and never taken from under a reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from varloom.storage import LocalCopies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 1000


def _fill(folder: Path) -> None:
    (folder / "part").write_bytes(b"x" * SIZE)


def _never(folder: Path) -> None:
    pytest.fail("it was filled again")


def _use(copies: LocalCopies, key: str, fill: Callable[[Path], None] = _fill) -> Path:
    with copies.borrow(key, SIZE, fill) as copy:
        assert (copy / "part").read_bytes() == b"x" * SIZE
    return copy


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "copies"


def test_a_copy_is_filled_once(folder: Path) -> None:
    copies = LocalCopies(folder, 10 * SIZE)
    assert _use(copies, "a") == _use(LocalCopies(folder, 10 * SIZE), "a", _never)


def test_what_was_used_longest_ago_goes_first(folder: Path) -> None:
    copies = LocalCopies(folder, 3 * SIZE)
    for key in ("a", "b", "c", "a", "d"):
        _use(copies, key)
    for key in ("a", "c", "d"):
        _use(copies, key, _never)
    assert _bytes(folder) == 3 * SIZE
    with pytest.raises(pytest.fail.Exception):
        _use(copies, "b", _never)
    assert len(list(folder.iterdir())) == 2 * 2 + 1, "a failed fill leaves nothing but its lock, which goes with others"


def test_what_is_in_use_stays_whatever_the_limit(folder: Path) -> None:
    copies = LocalCopies(folder, SIZE)
    with copies.borrow("a", SIZE, _fill) as first, copies.borrow("b", SIZE, _fill) as second:
        assert first.is_dir()
        assert second.is_dir()
        copies.drop("a")
        assert first.is_dir()
    _use(copies, "c")
    assert _bytes(folder) == SIZE


def test_a_copy_larger_than_the_limit_can_be_used(folder: Path) -> None:
    copies = LocalCopies(folder, SIZE // 2)
    _use(copies, "a")
    _use(copies, "b")
    assert _bytes(folder) == SIZE


def test_a_fill_that_fails_leaves_nothing(folder: Path) -> None:
    copies = LocalCopies(folder, SIZE)

    def half(unfinished: Path) -> None:
        (unfinished / "part").write_bytes(b"x")
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError), copies.borrow("a", SIZE, half):
        pass
    assert _bytes(folder) == 0
    _use(copies, "a")


def test_threads_that_want_the_same_copy_fill_it_once(folder: Path) -> None:
    copies = LocalCopies(folder, SIZE)
    filled = []

    def slow(unfinished: Path) -> None:
        filled.append(unfinished)
        threading.Event().wait(0.2)
        _fill(unfinished)

    threads = [threading.Thread(target=_use, args=(copies, "a", slow)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(filled) == 1


OTHER_PROCESS = """
import os, pathlib, signal, sys
from varloom.storage import LocalCopies
copies = LocalCopies(pathlib.Path(sys.argv[1]), 1000)
def fill(folder):
    (folder / "part").write_bytes(b"half" if sys.argv[2] == "filling" else b"x" * 1000)
    if sys.argv[2] == "filling":
        print("filling", flush=True)
        signal.pause()
with copies.borrow("a", 1000, fill):
    print("using", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("doing", ["filling", "using"])
def test_another_process_is_waited_for_and_its_death_frees_what_it_held(folder: Path, doing: str) -> None:
    command = [sys.executable, "-c", OTHER_PROCESS, str(folder), doing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == f"{doing}\n"
        copies = LocalCopies(folder, SIZE)
        _use(copies, "b")
        assert len({path.name.partition(".")[0] for path in folder.iterdir()}) == 2, "what it has was left alone"
        used = threading.Thread(target=_use, args=(copies, "a"))
        used.start()
        used.join(0.3)
        assert used.is_alive() == (doing == "filling"), "one that fills is waited for"
        os.kill(other.pid, signal.SIGKILL)
        used.join(10)
        assert not used.is_alive()
    _use(copies, "c")
    assert _bytes(folder) == SIZE, "nothing half filled stays"
