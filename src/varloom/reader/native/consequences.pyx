"""Consequence annotations (CSQ, ANN, BCSQ) unfolded: for each row its own entries, and the most severe of them.

An entry is a text cut by bars into subfields. Records with several ALT alleles have rows one after another; an entry
belongs to the row whose allele it names, by the spellings that annotators use, and to every row when no allele of the
record has the name.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy

from varloom.reader.native.column_data cimport leaf_data, level_data
from varloom.reader.native.columns cimport (
    KIND_TEXT, Leaf, Level, leaf_reserve, leaf_text, leaf_text_room, level_close, level_pad, level_reserve,
)
from varloom.reader.native.vcf_layout cimport hash_text
from varloom.reader.native.words cimport eight, first_bit

cdef enum:
    TERMS = 512             # buckets
    UNRANKED = 1 << 20      # of terms that are not known
    MOST_COMPARED = 1 << 24 # pairs of entries and alleles in one record
    NAMES_LITERALLY = 1     # how entries name alleles: as ALT has them, perhaps with `-REF` behind
    NAMES_TRIMMED = 2       # without the first base if all alleles of a record with an indel share it
    SHORT = 16              # bytes that are copied at once, whether the text has them or not


cdef struct Term:
    const char *text
    int64_t size
    uint64_t hash
    int rank
    int impact


cdef struct Piece:
    const char *start
    const char *end


cdef struct Texts:
    const int32_t *offsets
    const char *data
    const char *end


cdef class Terms:
    """The ranked terms: `[(term, rank, impact)]`, and the texts of the impacts by their numbers."""

    cdef Term[TERMS] bucket
    cdef object kept
    cdef const char *impact[8]
    cdef int64_t impact_size[8]

    def __cinit__(self, terms not None, impacts not None):
        cdef bytes text
        cdef uint64_t at
        if 2 * len(terms) > TERMS or len(impacts) > 8:
            raise ValueError("there are too many terms")
        self.kept = [term for term, _, _ in terms], list(impacts)
        for at, text in enumerate(self.kept[1]):
            self.impact[at] = <const char *>text
            self.impact_size[at] = len(text)
        for text, rank, impact in terms:
            at = hash_text(<const char *>text, len(text)) & (TERMS - 1)
            while self.bucket[at].text != NULL:
                at = (at + 1) & (TERMS - 1)
            self.bucket[at].text = <const char *>text
            self.bucket[at].size = len(text)
            self.bucket[at].hash = hash_text(<const char *>text, len(text))
            self.bucket[at].rank = rank
            self.bucket[at].impact = impact

    cdef const Term *find(self, const char *start, const char *end) noexcept nogil:
        """The term, or NULL when it is not known."""
        cdef uint64_t hashed = hash_text(start, end - start)
        cdef uint64_t at = hashed & (TERMS - 1)
        while self.bucket[at].text != NULL:
            if self.bucket[at].hash == hashed and self.bucket[at].size == end - start \
                    and memcmp(self.bucket[at].text, start, end - start) == 0:
                return &self.bucket[at]
            at = (at + 1) & (TERMS - 1)
        return NULL


cdef class Unfolding:
    """The columns that the annotations of some rows unfold into.

    Args:
        terms: ranks and impacts.
        subfields: how many an entry has.
        places: of allele, allele number, consequence, impact, gene symbol and gene id among the subfields; -1 where an
            annotator does not give it.
        naming: how entries name alleles, 1 literally, 2 trimmed; 0 if they do not.
        shorter: whether an entry may lack its last subfields.
        rows: how many there are.
        records: for each row the number of its record.
        alleles: for each row which ALT allele it is.
        alts, refs: `(offsets, data)` of their texts.
        lists: offsets of each row's entries; None when each row has one text that commas cut.
        entries: `(offsets, data)` of the entries or texts.

    Attributes:
        ragged, unmatched: entries with another number of subfields, and those whose allele the record does not have.
        first_ragged, first_unmatched: the row of the first, or -1.
    """

    cdef readonly int64_t ragged
    cdef readonly int64_t unmatched
    cdef readonly int64_t first_ragged
    cdef readonly int64_t first_unmatched
    cdef Terms terms
    cdef int subfields
    cdef int[6] place
    cdef int naming
    cdef bint shorter
    cdef int64_t rows
    cdef const int64_t *record
    cdef const int32_t *allele
    cdef Texts alt
    cdef Texts ref
    cdef const int32_t *lists
    cdef Texts entry
    cdef Leaf *child
    cdef Leaf[3] best           # consequence, impact, gene
    cdef Level level
    cdef Piece *part
    cdef int64_t *row_of        # for each entry of the record at hand the row that it belongs to, or -1 for all
    cdef int64_t row_of_capacity
    cdef object held

    def __cinit__(self, Terms terms not None, int subfields, places not None, int naming, bint shorter,
                  const int64_t[::1] records not None, const int32_t[::1] alleles not None, alts not None,
                  refs not None, lists, entries not None):
        cdef const int32_t[::1] offsets
        cdef int64_t row
        cdef int index, place, status
        self.terms = terms
        self.subfields = subfields
        self.naming = naming
        self.shorter = shorter
        self.rows = records.shape[0]
        self.first_ragged = self.first_unmatched = -1
        self.held = [records, alleles, alts, refs, lists, entries]
        if subfields < 1 or alleles.shape[0] != self.rows or not self.rows:
            raise ValueError("there must be subfields, and rows with a record and an allele each")
        for index in range(6):
            place = places[index]
            if not -1 <= place < subfields:
                raise ValueError("the places must be those of subfields")
            self.place[index] = place
        self.record = &records[0]
        self.allele = &alleles[0]
        texts_of(&self.alt, alts, self.rows)
        texts_of(&self.ref, refs, self.rows)
        if lists is None:
            texts_of(&self.entry, entries, self.rows)
        else:
            offsets = lists
            if offsets.shape[0] != self.rows + 1 or offsets[0] < 0:
                raise ValueError("the offsets must be those of the rows")
            for row in range(self.rows):
                if offsets[row + 1] < offsets[row]:
                    raise ValueError("the offsets must rise")
            self.lists = &offsets[0]
            texts_of(&self.entry, entries, offsets[self.rows])
        self.child = <Leaf *>calloc(subfields, sizeof(Leaf))
        self.part = <Piece *>malloc((subfields + 1) * sizeof(Piece))
        if self.child == NULL or self.part == NULL:
            raise MemoryError
        for index in range(subfields):
            self.child[index].kind = KIND_TEXT
        for index in range(3):
            self.best[index].kind = KIND_TEXT
        with nogil:
            status = self.unfold()
        if status < 0:
            raise MemoryError

    def __dealloc__(self):
        cdef int index
        if self.child != NULL:
            for index in range(self.subfields):
                free_leaf(&self.child[index])
        for index in range(3):
            free_leaf(&self.best[index])
        free(self.level.valid)
        free(self.level.offsets)
        free(self.child)
        free(self.part)
        free(self.row_of)

    def best_data(self, int which):
        """Consequence (0), impact (1) or gene (2) of each row: `(length, missing, validity, buffers)`."""
        if not 0 <= which < 3:
            raise IndexError("there is no such column")
        return self.text_data(&self.best[which])

    def child_data(self, int index):
        """A subfield of all entries, likewise."""
        if not 0 <= index < self.subfields:
            raise IndexError("there is no such subfield")
        return self.text_data(&self.child[index])

    def level_data(self):
        """The lists of entries, likewise."""
        if level_reserve(&self.level, 1) < 0:
            raise MemoryError
        return level_data(&self.level)

    cdef object text_data(self, Leaf *leaf):
        if leaf_reserve(leaf, 1) < 0 or leaf_text_room(leaf, 0) == NULL:
            raise MemoryError
        return leaf_data(leaf, False)

    # --- rows -----------------------------------------------------------------------------------------------------

    cdef int unfold(self) noexcept nogil:
        cdef int64_t row = 0, end, index
        cdef bint matched
        if self.lists != NULL:
            for index in range(self.subfields):
                if leaf_reserve(&self.child[index], self.lists[self.rows] - self.lists[0]) < 0:
                    return -1
        while row < self.rows:
            end = row + 1
            while end < self.rows and self.record[end] == self.record[row]:
                end += 1
            matched = end - row > 1 and self.naming != 0
            if matched and self.match(row, end) < 0:
                return -1
            for index in range(row, end):
                if self.unfold_row(index, row, matched) < 0:
                    return -1
            row = end
        return 0

    cdef int unfold_row(self, int64_t row, int64_t first_row, bint matched) noexcept nogil:
        """Append the entries of a row and the most severe of them; negative when there is no memory."""
        cdef Piece[3] best
        cdef Piece entry
        cdef int64_t cursor = self.first_entry(row), number = -1, before = self.child[0].length, owner
        cdef int rank = -1, found, index, count
        for index in range(3):
            best[index].start = best[index].end = NULL
        while self.next_entry(row, &cursor, &entry):
            number += 1
            owner = self.row_of[number] if matched else -1
            if entry.start == entry.end or (owner >= 0 and owner != row):
                continue
            count = self.split(&entry)
            if (count > self.subfields or (count < self.subfields and not self.shorter)) \
                    and row == (owner if owner >= 0 else first_row):
                if self.ragged == 0:
                    self.first_ragged = row
                self.ragged += 1
            if self.append_parts() < 0:
                return -1
            found = self.rank(best, rank)
            rank = found if rank < 0 or found < rank else rank
        if self.child[0].length == before:
            if level_pad(&self.level, row + 1) < 0:
                return -1
        elif level_close(&self.level, self.child[0].length) < 0:
            return -1
        for index in range(3):
            if self.append(&self.best[index], &best[index]) < 0:
                return -1
        return 0

    cdef int append_parts(self) noexcept nogil:
        """Append each of `part` to its child.

        Subfields are short, so the call of a copy would take longer than the copy: they are taken by blocks.
        """
        cdef Leaf *leaf
        cdef const char *start
        cdef char *room
        cdef int64_t size
        cdef int index
        for index in range(self.subfields):
            leaf = &self.child[index]
            start = self.part[index].start
            size = self.part[index].end - start
            if leaf.length == leaf.capacity and leaf_reserve(leaf, leaf.length + 1) < 0:
                return -1
            if size:
                room = leaf.data + leaf.text_length
                if leaf.data == NULL or leaf.text_capacity - leaf.text_length < size + SHORT:
                    room = leaf_text_room(leaf, size + SHORT)
                    if room == NULL:
                        return -1
                if size <= SHORT and self.entry.end - start >= SHORT:
                    memcpy(room, start, SHORT)
                else:
                    memcpy(room, start, size)
                leaf.valid[leaf.length >> 3] |= <uint8_t>(1 << (leaf.length & 7))
                leaf.present += 1
                leaf.text_length += size
            leaf.length += 1
            leaf.offsets[leaf.length] = <int32_t>leaf.text_length
        return 0

    cdef int append(self, Leaf *leaf, Piece *piece) noexcept nogil:
        if piece.start == piece.end:
            if leaf.length == leaf.capacity and leaf_reserve(leaf, leaf.length + 1) < 0:
                return -1
            leaf.length += 1
            leaf.offsets[leaf.length] = <int32_t>leaf.text_length
            return 0
        return leaf_text(leaf, piece.start, piece.end - piece.start)

    cdef int64_t first_entry(self, int64_t row) noexcept nogil:
        return self.entry.offsets[row] if self.lists == NULL else self.lists[row]

    cdef bint next_entry(self, int64_t row, int64_t *cursor, Piece *entry) noexcept nogil:
        """The entry at the cursor, which is moved behind it; False when the row has no more."""
        cdef const char *end
        cdef const char *comma
        if self.lists != NULL:
            if cursor[0] >= self.lists[row + 1]:
                return False
            entry.start = self.entry.data + self.entry.offsets[cursor[0]]
            entry.end = self.entry.data + self.entry.offsets[cursor[0] + 1]
            cursor[0] += 1
            return True
        if cursor[0] >= self.entry.offsets[row + 1]:
            return False
        entry.start = self.entry.data + cursor[0]
        end = self.entry.data + self.entry.offsets[row + 1]
        comma = <const char *>memchr(entry.start, c",", end - entry.start)
        entry.end = end if comma == NULL else comma
        cursor[0] += entry.end - entry.start + 1
        return True

    cdef int split(self, Piece *entry) noexcept nogil:
        """Cut an entry into `part`; how many subfields it has. Those that it lacks are empty."""
        cdef const char *at = entry.start
        cdef const char *limit = entry.end
        cdef Piece *part = self.part
        cdef uint64_t bars
        cdef int most = self.subfields, count = 0, index
        part[0].start = at
        while limit - at >= 8:
            bars = bars_in(eight(at))
            while bars:
                close_part(part, count, most, at + (first_bit(bars) >> 3))
                count += 1
                bars &= bars - 1
            at += 8
        while at < limit:
            if at[0] == c"|":
                close_part(part, count, most, at)
                count += 1
            at += 1
        close_part(part, count, most, limit)
        count += 1
        for index in range(count, most):
            part[index].start = part[index].end = NULL
        return count

    cdef int rank(self, Piece *best, int known) noexcept nogil:
        """The rank of the entry in `part`; when it is more severe than what is known, it becomes the best."""
        cdef Piece *consequence
        cdef const char *at
        cdef const char *end
        cdef const Term *term
        cdef const Term *chosen = NULL
        cdef Piece text
        cdef int rank, least = -1
        if self.place[2] < 0:
            return known if known >= 0 else UNRANKED + 1
        consequence = &self.part[self.place[2]]
        at = consequence.start
        if at == consequence.end or at[0] == c"@":
            return known if known >= 0 else UNRANKED + 1
        text.start = text.end = NULL
        while at < consequence.end:
            end = at
            while end < consequence.end and end[0] != c"&":
                end += 1
            if at[0] == c"*":
                at += 1         # behind a stop codon, says bcftools csq
            term = self.terms.find(at, end)
            rank = UNRANKED if term == NULL else term.rank
            if (least < 0 or rank < least) and end > at:
                least = rank
                chosen = term
                text.start = at
                text.end = end
            at = end + 1
        if least < 0 or (0 <= known <= least):
            return known if known >= 0 else UNRANKED + 1
        best[0] = text
        best[1].start = best[1].end = NULL
        if self.place[3] >= 0:
            best[1] = self.part[self.place[3]]
        if best[1].start == best[1].end and chosen != NULL:
            best[1].start = self.terms.impact[chosen.impact]
            best[1].end = best[1].start + self.terms.impact_size[chosen.impact]
        best[2].start = best[2].end = NULL
        if self.place[4] >= 0:
            best[2] = self.part[self.place[4]]
        if best[2].start == best[2].end and self.place[5] >= 0:
            best[2] = self.part[self.place[5]]
        return least

    # --- alleles --------------------------------------------------------------------------------------------------

    cdef int match(self, int64_t first, int64_t end) noexcept nogil:
        """Find for each entry of a record the row that it belongs to; -1 stands for all."""
        cdef int64_t cursor = self.first_entry(first), number = 0
        cdef Piece entry
        cdef int64_t *moved
        cdef bint trims = self.naming == NAMES_TRIMMED and self.shares_first_base(first, end)
        while self.next_entry(first, &cursor, &entry):
            if number == self.row_of_capacity:
                moved = <int64_t *>realloc(self.row_of, (2 * number + 64) * sizeof(int64_t))
                if moved == NULL:
                    return -1
                self.row_of = moved
                self.row_of_capacity = 2 * number + 64
            self.row_of[number] = -1
            if entry.start != entry.end:
                if number * (end - first) < MOST_COMPARED:
                    self.split(&entry)
                    self.row_of[number] = self.row_named(first, end, trims)
                if self.row_of[number] < 0:
                    if self.unmatched == 0:
                        self.first_unmatched = first
                    self.unmatched += 1
            number += 1
        return 0

    cdef int64_t row_named(self, int64_t first, int64_t end, bint trims) noexcept nogil:
        """The row of the entry in `part`, or -1."""
        cdef Piece *name
        cdef int64_t row, number
        cdef int way
        if self.place[1] >= 0:
            number = number_of(&self.part[self.place[1]])
            if number >= 0:
                for row in range(first, end):
                    if self.allele[row] == number:
                        return row
                return -1
        if self.place[0] < 0:
            return -1
        name = &self.part[self.place[0]]
        for way in range(0 if trims else 1, 4):
            for row in range(first, end):
                if self.has_name(row, name, way):
                    return row
        return -1

    cdef bint has_name(self, int64_t row, Piece *name, int way) noexcept nogil:
        """Whether an allele is called so: without its first base (0), as ALT has it (1), with `-REF` (2), minimal (3)."""
        cdef Piece alt = text_at(&self.alt, row)
        cdef Piece ref = text_at(&self.ref, row)
        if way == 0:
            if memchr(alt.start, c"*", alt.end - alt.start) == NULL:
                alt.start += 1
            return is_called(&alt, name)
        if way == 1:
            return is_called(&alt, name)
        if way == 2:
            return (self.naming == NAMES_LITERALLY and name.end - name.start > alt.end - alt.start + 1
                    and name.start[alt.end - alt.start] == c"-"
                    and memcmp(name.start, alt.start, alt.end - alt.start) == 0)
        while alt.start < alt.end and ref.start < ref.end and alt.start[0] == ref.start[0]:
            alt.start += 1
            ref.start += 1
        while alt.start < alt.end and ref.start < ref.end and (alt.end - 1)[0] == (ref.end - 1)[0]:
            alt.end -= 1
            ref.end -= 1
        return self.naming == NAMES_TRIMMED and is_called(&alt, name)

    cdef bint shares_first_base(self, int64_t first, int64_t end) noexcept nogil:
        """Whether VEP leaves out the first base: one allele is an indel, and all but `*` begin as REF does."""
        cdef Piece ref = text_at(&self.ref, first)
        cdef Piece alt
        cdef int64_t row
        cdef bint indel = False
        for row in range(first, end):
            alt = text_at(&self.alt, row)
            indel = indel or alt.end - alt.start != ref.end - ref.start
            if alt.start == alt.end or ref.start == ref.end:
                return False
            if alt.start[0] != ref.start[0] and memchr(alt.start, c"*", alt.end - alt.start) == NULL:
                return False
        return indel


cdef inline uint64_t bars_in(uint64_t word) noexcept nogil:
    """The high bit of each byte that is a bar, and no other bit: all of them are right, and not only the first."""
    cdef uint64_t low = <uint64_t>0x7F7F7F7F7F7F7F7F
    word ^= <uint64_t>0x7C7C7C7C7C7C7C7C
    return ~(((word & low) + low) | word | low)


cdef inline void close_part(Piece *part, int number, int most, const char *end) noexcept nogil:
    """The part with the number ends here, and the next begins behind the bar; the array has room for `most` + 1."""
    if number < most:
        part[number].end = end
        part[number + 1].start = end + 1


cdef inline Piece text_at(Texts *texts, int64_t index) noexcept nogil:
    cdef Piece piece
    piece.start = texts.data + texts.offsets[index]
    piece.end = texts.data + texts.offsets[index + 1]
    return piece


cdef inline bint is_called(Piece *allele, Piece *name) noexcept nogil:
    """Whether the name is that of the allele; no bases are written as a dash."""
    cdef int64_t size = allele.end - allele.start
    if size == 0:
        return name.end - name.start == 1 and name.start[0] == c"-"
    return name.end - name.start == size and memcmp(allele.start, name.start, size) == 0


cdef inline int64_t number_of(Piece *piece) noexcept nogil:
    """A whole number of up to nine digits, or -1."""
    cdef int64_t number = 0
    cdef const char *at = piece.start
    if at == piece.end or piece.end - at > 9:
        return -1
    while at < piece.end:
        if not c"0" <= at[0] <= c"9":
            return -1
        number = number * 10 + (at[0] - c"0")
        at += 1
    return number


cdef void free_leaf(Leaf *leaf) noexcept:
    free(leaf.valid)
    free(leaf.data)
    free(leaf.offsets)


cdef int texts_of(Texts *texts, pair, int64_t count) except -1:
    """Take `count` texts after a look at their offsets."""
    cdef const int32_t[::1] offsets = pair[0]
    cdef const unsigned char[::1] data = pair[1]
    cdef int64_t index
    if offsets.shape[0] < count + 1 or offsets[0] < 0 or offsets[count] > data.shape[0] or data.shape[0] == 0:
        raise ValueError("the offsets must lie within the data, which may not be empty")
    for index in range(count):
        if offsets[index + 1] < offsets[index]:
            raise ValueError("the offsets must rise")
    texts.offsets = &offsets[0]
    texts.data = <const char *>&data[0]
    texts.end = texts.data + data.shape[0]
    return 0
