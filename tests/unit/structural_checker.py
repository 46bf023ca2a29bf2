"""What structural variants hit, told by plain loops over everything. It shares no code with what it checks."""

from __future__ import annotations

MOST = 10**12


class Seen:
    """A structural variant as the checker reads it: an interval, or cuts behind bases."""

    def __init__(self, kind, contig, first=None, last=None, cuts=(), length=None):
        self.kind, self.contig, self.first, self.last, self.cuts, self.length = kind, contig, first, last, cuts, length


def read(row):
    """A row of a call set whose annotations do not contradict each other; None for what is not structural."""
    contig, pos, ref, alt = row["contig"].removeprefix("chr"), row["position"], row["ref"], row["alt"]
    named = {"ALU": "INS", "LINE1": "INS", "SVA": "INS", "DEL_ALU": "DEL", "DEL_LINE1": "DEL", "DEL_SVA": "DEL",
             "DEL_HERV": "DEL"}.get(row["svtype"], row["svtype"])  # fmt: skip
    if alt.startswith("<"):
        kind = alt[1:-1].split(":")[0]
        kind = named if kind.startswith("CN") and named in {"DEL", "DUP"} else "CNV" if kind.startswith("CN") else kind
        if kind == "INS":
            return Seen("INS", contig, cuts=[(contig, pos)], length=abs(row["svlen"]) if row["svlen"] else None)
        end = row["end"] if row["end"] is not None else pos + abs(row["svlen"])
        return Seen(kind, contig, pos + 1, end, length=end - pos)
    while ref and alt and ref[0] == alt[0]:
        ref, alt, pos = ref[1:], alt[1:], pos + 1
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    growth = len(alt) - len(ref)
    turned = "".join({"A": "T", "C": "G", "G": "C", "T": "A"}.get(base, base) for base in reversed(ref)) == alt
    if turned and ref and len(ref) >= 50:
        return Seen("INV", contig, pos, pos + len(ref) - 1, length=len(ref))
    if growth == 0 or (named is None and abs(growth) < 50):
        return None
    if not ref:
        return Seen("INS", contig, cuts=[(contig, pos - 1)], length=growth)
    return Seen("INS" if growth > 0 else "DEL", contig, pos, pos + len(ref) - 1, length=abs(growth))


def hit_genes(seen, genes, exons_of, promoter_bases):
    """For each gene that is hit: (gene_id, extent, part, "hit/all" exons, cuts within it), by place."""
    found = []
    for contig, first, last, strand, gene_id, *_ in genes:
        exons = exons_of.get(gene_id, ())
        cuts = seen.cuts or ([(seen.contig, seen.first - 1), (seen.contig, seen.last)] if seen.first else [])
        within = sum(where == contig and first <= cut and cut + 1 <= last for where, cut in cuts)
        overlaps = bool(seen.first) and seen.contig == contig and seen.first <= last and first <= seen.last
        if overlaps or (within and not seen.first):
            whole = overlaps and seen.first <= first and last <= seen.last
            if seen.first:
                number = sum(start <= seen.last and seen.first <= end for start, end in exons)
            else:
                number = max(
                    sum(start <= cut and cut + 1 <= end for start, end in exons)
                    for where, cut in cuts
                    if where == contig and first <= cut and cut + 1 <= last
                )
            part = "exon" if number else "intron"
            found.append((gene_id, "whole" if whole else "partial", part, f"{number}/{len(exons)}", within))
            continue
        low, high = (first - promoter_bases, first - 1) if strand > 0 else (last + 1, last + promoter_bases)
        low = max(low, 1)
        if strand == 0 or low > high:
            continue
        by_interval = bool(seen.first) and seen.contig == contig and seen.first <= high and low <= seen.last
        by_cut = not seen.first and any(where == contig and low <= cut and cut + 1 <= high for where, cut in cuts)
        if by_interval or by_cut:
            found.append((gene_id, "outside", "promoter", f"0/{len(exons)}", 0))
    return found


def best_match(seen, sites, least, distance):
    """(id, overlap) of the best known variant, None if there is none like it."""
    best = None
    for site in sites:
        if site["filter"] not in {None, "PASS", "MULTIALLELIC"} or site["type"] != seen.kind or not site["length"]:
            continue
        if site["contig"] != seen.contig:
            continue
        if seen.kind == "INS":
            place = seen.first or seen.cuts[0][1]
            if abs(max(place, 1) - site["start"]) > distance:
                continue
            share = min(seen.length, site["length"]) / max(seen.length, site["length"])
        else:
            shared = min(seen.last, site["end"]) - max(seen.first, site["start"]) + 1
            share = max(shared, 0) / max(seen.last - seen.first + 1, site["end"] - site["start"] + 1)
        frequency = -1 if site["af"] is None else site["af"]
        if share >= least - 1e-9 and (best is None or (share, frequency) > best[:2]):
            best = (share, frequency, site["id"])
    return best and (best[2], best[0])
