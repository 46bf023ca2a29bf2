"""Checksums of a file whose blocks arrive in any order, from memory and from the disk."""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from varloom.transfer import hashing
from varloom.transfer.blocks import Blocks
from varloom.transfer.hashing import Hasher
from varloom.transfer.model import Checksum, Version
from varloom.transfer.partial_file import PartialFile

CAPACITY = 64


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, CAPACITY), max_size=40),
    senders=st.integers(1, 4),
    most_kept=st.sampled_from([0, CAPACITY, 3 * CAPACITY, 100 * CAPACITY]),
    seed=st.integers(0, 2**32),
)
def test_checksums_are_those_of_the_file_whatever_order_its_blocks_come_in(sizes, senders, most_kept, seed):
    """Little memory, or none, sends it to the disk for them; each block is given back once."""
    rng = random.Random(seed)
    content = rng.randbytes(sum(sizes))
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    ahead = list(zip(starts, sizes, strict=True))
    rng.shuffle(ahead)
    given_back = []
    kept_before, hashing.MOST_KEPT = hashing.MOST_KEPT, most_kept
    try:
        with tempfile.TemporaryDirectory() as folder:
            partial, memory = PartialFile(Path(folder) / "x"), Blocks(CAPACITY)
            memory.give_back = given_back.append
            partial.begin("x", Version(None))
            hasher = Hasher(partial, memory, (Checksum("md5", "of the source"),))

            def send(part):
                for start, size in part:
                    block = memory.take()
                    block.room(size)[:] = content[start : start + size]
                    block.size = size
                    partial.write(start, block.content)
                    hasher.take(start, block)

            threads = [threading.Thread(target=send, args=(ahead[turn::senders],)) for turn in range(senders)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
            size, digests = hasher.finish(len(content), lambda *_: None)
            hasher.stop()
            assert partial.path.read_bytes() == content
            partial.close()
    finally:
        hashing.MOST_KEPT = kept_before
    assert size == len(content)
    assert digests == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    assert len({id(block) for block in given_back}) == len(given_back) == len(sizes)
