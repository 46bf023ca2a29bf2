# cython: language_level=3
"""What is there of a column, put together from Arrow's arrays: the bytes of which the content hash is made."""

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from varloom.dataset.native.arrow_arrays cimport ArrowArray, array_of
from varloom.dataset.native.growing cimport Bytes, bit_at, put_word, release, reserve, some_bits

cdef enum:
    NO_MEMORY = -1

cdef struct Run:
    const ArrowArray *array
    int64_t first           # a place in the array's buffers
    int64_t slots


cdef class PresentValues:
    """The values of a column, or of what lies within those of its values that are there.

    What a method returns is good until the next one is called.

    Args:
        batches: the capsules of record batches.
        column: which of their columns.
    """

    cdef list _batches
    cdef Bytes _runs, _out
    cdef readonly int64_t slots

    def __init__(self, list batches, int column):
        cdef const ArrowArray *array
        self._batches = batches
        for batch in batches:
            array = array_of(batch, column)
            self._add(array, array.offset, array.length)

    def __dealloc__(self):
        release(&self._runs)
        release(&self._out)

    def presence(self):
        """For each slot a byte, 1 where a value is there; None where none is missing."""
        cdef int told
        cdef int64_t index
        cdef const Run *runs = <const Run *>self._runs.data
        for index in range(self._count()):
            if runs[index].array.buffers[0] != NULL and runs[index].array.null_count != 0:
                break
        else:
            return None
        with nogil:
            told = self._put_presence()
        return self._told(told) if told < 0 or self._some_missing() else None

    def lengths(self):
        """The lengths of the lists, or the sizes of the texts, in 32 bits each."""
        cdef int told
        with nogil:
            told = self._put_lengths()
        return self._told(told)

    def texts(self):
        """The bytes of the texts."""
        cdef int told
        with nogil:
            told = self._put_texts()
        return self._told(told)

    def numbers(self, int width, bint floating):
        """Numbers of so many bytes each; every NaN is the same."""
        cdef int told
        with nogil:
            told = self._put_numbers(width)
            if floating and told == 0:
                self._make_one_nan(width)
        return self._told(told)

    def bools(self):
        """A byte for each bool: 0 or 1."""
        cdef int told
        with nogil:
            told = self._put_bools()
        return self._told(told)

    def elements(self):
        """What lies in the lists."""
        cdef PresentValues within = PresentValues([], 0)
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        within._batches = self._batches
        for index in range(self._count()):
            within._add_elements(&runs[index])
        return within

    def field(self, int number):
        """The values of a field of the structures."""
        cdef PresentValues within = PresentValues([], 0)
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        within._batches = self._batches
        for index in range(self._count()):
            within._add_field(&runs[index], number)
        return within

    # --- where values lie ---------------------------------------------------------------------------------------------

    cdef int64_t _count(self) noexcept nogil:
        return self._runs.length // <int64_t>sizeof(Run)

    cdef int _add(self, const ArrowArray *array, int64_t first, int64_t slots) except -1:
        """Note a run of slots; one that goes on where the last one ended is one with it."""
        cdef Run *run = <Run *>(self._runs.data + self._runs.length)
        if slots == 0:
            return 0
        self.slots += slots
        if self._runs.length and run[-1].array == array and run[-1].first + run[-1].slots == first:
            run[-1].slots += slots
            return 0
        if reserve(&self._runs, sizeof(Run)) < 0:
            raise MemoryError
        run = <Run *>(self._runs.data + self._runs.length)
        run.array, run.first, run.slots = array, first, slots
        self._runs.length += sizeof(Run)
        return 0

    cdef int _add_elements(self, const Run *run) except -1:
        cdef const int32_t *offsets = <const int32_t *>run.array.buffers[1] + run.first
        cdef const ArrowArray *child = run.array.children[0]
        cdef int64_t index
        if not has_holes(run):
            self._add(child, child.offset + offsets[0], offsets[run.slots] - offsets[0])
            return 0
        for index in range(run.slots):
            if is_there(run, index):
                self._add(child, child.offset + offsets[index], offsets[index + 1] - offsets[index])
        return 0

    cdef int _add_field(self, const Run *run, int number) except -1:
        cdef const ArrowArray *child = run.array.children[number]
        cdef int64_t index
        if not has_holes(run):
            self._add(child, child.offset + run.first, run.slots)
            return 0
        for index in range(run.slots):
            if is_there(run, index):
                self._add(child, child.offset + run.first + index, 1)
        return 0

    # --- what is there ------------------------------------------------------------------------------------------------

    cdef int _put_presence(self) noexcept nogil:
        cdef const Run *runs = <const Run *>self._runs.data
        cdef const Run *run
        cdef int64_t index
        self._out.length = 0
        if reserve(&self._out, self.slots) < 0:
            return NO_MEMORY
        for index in range(self._count()):
            run = &runs[index]
            if not has_holes(run):
                memset(self._out.data + self._out.length, 1, run.slots)
                self._out.length += run.slots
            else:
                put_bytes_of_bits(&self._out, <const uint8_t *>run.array.buffers[0], run.first, run.slots)
        return 0

    cdef bint _some_missing(self) noexcept nogil:
        cdef int64_t found = 0
        cdef int64_t index
        for index in range(self._out.length):
            found += self._out.data[index]
        return found < self.slots

    cdef int _put_lengths(self) noexcept nogil:
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        self._out.length = 0
        if reserve(&self._out, self.slots * sizeof(int32_t)) < 0:
            return NO_MEMORY
        for index in range(self._count()):
            put_lengths(&self._out, &runs[index])
        return 0

    cdef int _put_texts(self) noexcept nogil:
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        self._out.length = 0
        if reserve(&self._out, 0) < 0:
            return NO_MEMORY
        for index in range(self._count()):
            if reserve(&self._out, size_of_texts(&runs[index], False)) < 0:
                return NO_MEMORY
            put_texts(&self._out, &runs[index])
        return 0

    cdef int _put_numbers(self, int width) noexcept nogil:
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        self._out.length = 0
        if reserve(&self._out, self.slots * width) < 0:
            return NO_MEMORY
        for index in range(self._count()):
            put_numbers(&self._out, &runs[index], width)
        return 0

    cdef void _make_one_nan(self, int width) noexcept nogil:
        cdef double *doubles = <double *>self._out.data
        cdef float *floats = <float *>self._out.data
        cdef int64_t index
        if width == 8:
            for index in range(self._out.length >> 3):
                if doubles[index] != doubles[index]:
                    (<uint64_t *>doubles)[index] = <uint64_t>0x7FF8000000000000
        else:
            for index in range(self._out.length >> 2):
                if floats[index] != floats[index]:
                    (<uint32_t *>floats)[index] = <uint32_t>0x7FC00000

    cdef int _put_bools(self) noexcept nogil:
        cdef const Run *runs = <const Run *>self._runs.data
        cdef int64_t index
        self._out.length = 0
        if reserve(&self._out, self.slots) < 0:
            return NO_MEMORY
        for index in range(self._count()):
            put_bools(&self._out, &runs[index])
        return 0

    cdef object _told(self, int told):
        if told < 0:
            raise MemoryError
        return PyMemoryView_FromMemory(self._out.data, self._out.length, PyBUF_READ)


cdef inline bint has_holes(const Run *run) noexcept nogil:
    return run.array.buffers[0] != NULL and run.array.null_count != 0


cdef inline bint is_there(const Run *run, int64_t slot) noexcept nogil:
    return not has_holes(run) or bit_at(<const uint8_t *>run.array.buffers[0], run.first + slot)


# A compiler must think that bytes which are written may be any value that it knows, so that these functions keep what
# they need in variables of their own. All write each value, and go on behind it only if it is there: jumps would often be
# foretold wrongly.

cdef inline const uint8_t *bits_of(const Run *run) noexcept nogil:
    """The bitmap of what is there; NULL where nothing is missing."""
    return <const uint8_t *>run.array.buffers[0] if has_holes(run) else NULL


cdef inline void put_lengths(Bytes *out, const Run *run) noexcept nogil:
    cdef const int32_t *offsets = <const int32_t *>run.array.buffers[1] + run.first
    cdef const uint8_t *bits = bits_of(run)
    cdef int32_t *room = <int32_t *>(out.data + out.length)
    cdef int64_t count = run.slots
    cdef int64_t first = run.first
    cdef int64_t done = 0
    cdef int64_t index
    if bits == NULL:
        for index in range(count):
            room[index] = offsets[index + 1] - offsets[index]
        done = count
    else:
        for index in range(count):
            room[done] = offsets[index + 1] - offsets[index]
            done += bit_at(bits, first + index)
    out.length += done * sizeof(int32_t)


cdef inline int64_t size_of_texts(const Run *run, bint present) noexcept nogil:
    """The bytes of all texts, or of those that are there: what is missing has none as a rule."""
    cdef const int32_t *offsets = <const int32_t *>run.array.buffers[1] + run.first
    cdef const uint8_t *bits = bits_of(run)
    cdef int64_t count = run.slots
    cdef int64_t first = run.first
    cdef int64_t size = 0
    cdef int64_t index
    if bits == NULL or not present:
        return offsets[count] - offsets[0]
    for index in range(count):
        size += (offsets[index + 1] - offsets[index]) * bit_at(bits, first + index)
    return size


cdef inline void put_texts(Bytes *out, const Run *run) noexcept nogil:
    cdef const int32_t *offsets = <const int32_t *>run.array.buffers[1] + run.first
    cdef const char *values = <const char *>run.array.buffers[2]
    cdef int64_t size = size_of_texts(run, False)
    cdef int64_t index
    if size == 0:
        return
    if size_of_texts(run, True) == size:
        put_block(out, values + offsets[0], size)
        return
    for index in range(run.slots):
        if is_there(run, index):
            put_block(out, values + offsets[index], offsets[index + 1] - offsets[index])


cdef inline void put_numbers(Bytes *out, const Run *run, int width) noexcept nogil:
    cdef const char *values = <const char *>run.array.buffers[1] + run.first * width
    cdef const uint8_t *bits = bits_of(run)
    cdef char *room = out.data + out.length
    cdef int64_t count = run.slots
    cdef int64_t first = run.first
    cdef int64_t index
    if bits == NULL:
        put_block(out, values, count * width)
        return
    for index in range(count):
        if width == 8:
            memcpy(room, values + 8 * index, 8)
        elif width == 4:
            memcpy(room, values + 4 * index, 4)
        else:
            memcpy(room, values + width * index, width)
        room += width * bit_at(bits, first + index)
    out.length = room - out.data


cdef inline void put_bools(Bytes *out, const Run *run) noexcept nogil:
    cdef const uint8_t *values = <const uint8_t *>run.array.buffers[1]
    cdef const uint8_t *bits = bits_of(run)
    cdef char *room = out.data + out.length
    cdef int64_t count = run.slots
    cdef int64_t first = run.first
    cdef int64_t index
    if bits == NULL:
        put_bytes_of_bits(out, values, first, count)
        return
    for index in range(count):
        room[0] = bit_at(values, first + index)
        room += bit_at(bits, first + index)
    out.length = room - out.data


cdef inline void put_block(Bytes *out, const char *at, int64_t size) noexcept nogil:
    memcpy(out.data + out.length, at, size)
    out.length += size


cdef inline void put_bytes_of_bits(Bytes *out, const uint8_t *bits, int64_t first, int64_t count) noexcept nogil:
    """Append a byte for each bit."""
    cdef int shift = first & 7
    cdef const uint8_t *at = bits + (first >> 3)
    cdef char *room = out.data + out.length
    cdef uint64_t word
    cdef int64_t index
    for index in range(count >> 3):
        word = spread(at[index] if shift == 0 else (at[index] | at[index + 1] << 8) >> shift)
        memcpy(room + 8 * index, &word, 8)
    if count & 7:
        word = spread(some_bits(bits, first + (count & ~7), count & 7))
        memcpy(room + (count & ~7), &word, 8)
    out.length += count


cdef inline uint64_t spread(uint64_t bits) noexcept nogil:
    """The lowest eight bits as bytes: each byte of a word keeps another bit, and what is not zero becomes 1."""
    cdef uint64_t word = (bits & 0xFF) * <uint64_t>0x0101010101010101 & <uint64_t>0x8040201008040201
    return ((word + <uint64_t>0x7F7F7F7F7F7F7F7F) >> 7) & <uint64_t>0x0101010101010101
