"""A step that works without anything to count is no stall; one that hangs is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from varloom.processing.cpu import call
from varloom.processing.life import Life


def test_each_sign_of_life_tells_another_count():
    told = []
    life = Life(lambda *one: told.append(one), "reads sorted")
    for _ in range(3):
        life()
    assert len(set(told)) == 3
    assert {(total, unit) for _, total, unit in told} == {(None, "reads sorted")}


def test_a_region_that_is_called_for_long_is_told_to_go_on_for_as_long_as_it_works(monkeypatch):
    monkeypatch.setattr(call, "_SILENT_SECONDS", 0.0)
    monkeypatch.setattr(call, "_LIFE_SECONDS", 0.01)
    told, finish = [], threading.Event()
    works = iter([True] * 4 + [False] * 4)

    def report(*one):
        told.append(one)

    class Working(threading.Event):
        """Works four times, then hangs."""

        def is_set(self):
            try:
                return next(works)
            except StopIteration:
                finish.set()
                return False

    with ThreadPoolExecutor(1) as pool:
        call._wait([pool.submit(finish.wait, 30)], Working(), report)
    assert told == [
        (0, 1, "regions called"),
        *[(number, None, "regions called") for number in (1, 2, 3, 4)],
        (1, 1, "regions called"),
    ]
