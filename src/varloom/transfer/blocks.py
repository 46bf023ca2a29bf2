"""Memory in which a download gathers what comes, a block at a time; it is used again and again.

New memory for each block would cost the system about as much as receiving into it.
"""

from __future__ import annotations

from collections import deque


class Block:
    """Bytes that came one after the other. Who has it may fill it; who is done with it gives it back.

    Args of the constructor:
        capacity: the most bytes that it holds.
    """

    def __init__(self, capacity: int) -> None:
        self._memory = memoryview(bytearray(capacity))
        self.size = 0

    @property
    def content(self) -> memoryview:
        """What has come."""
        return self._memory[: self.size]

    def room(self, most: int) -> memoryview:
        """Where the next bytes go, at most so many."""
        return self._memory[self.size : self.size + most]

    @property
    def is_full(self) -> bool:
        """Whether no more fits in."""
        return self.size == len(self._memory)


class Blocks:
    """Blocks of one capacity, in bytes. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free: deque[Block] = deque()

    def take(self) -> Block:
        """An empty block."""
        try:
            return self._free.pop()
        except IndexError:
            return Block(self._capacity)

    def give_back(self, block: Block) -> None:
        """Let it be used again: nobody looks at what it holds any more."""
        block.size = 0
        self._free.append(block)
