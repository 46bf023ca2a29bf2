"""What a change of coding bases does to a protein, told by translation alone: an oracle written for the tests.

It shares nothing with the code under test but the order of the genetic code in NCBI's table.
"""

from __future__ import annotations

BASES = "TCAG"
AMINO = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
NAMES = "Ala Cys Asp Glu Phe Gly His Ile Lys Leu Met Asn Pro Gln Arg Ser Thr Val Trp Tyr Ter"
THREE = dict(zip("ACDEFGHIKLMNPQRSTVWY*", NAMES.split(), strict=True))


def translate(bases: str) -> str:
    """Amino acids of the complete codons, up to and with the first stop."""
    protein = ""
    for start in range(0, len(bases) - 2, 3):
        first, second, third = bases[start : start + 3]
        protein += AMINO[16 * BASES.index(first) + 4 * BASES.index(second) + BASES.index(third)]
        if protein[-1] == "*":
            break
    return protein


def protein_change(  # noqa: C901, PLR0911 - a rule of the nomenclature a line
    coding: str, after: str, begin: int, end: int, new: str, *, starts: bool, stops: bool
) -> str | None:
    """The name of a replacement of `coding[begin:end]` by `new`.

    Args:
        coding: from the first complete codon to the last coding base.
        after: the untranslated bases behind.
        begin: 0-based.
        end: 0-based, exclusive.
        new: the bases instead.
        starts: whether the first codon is a start.
        stops: whether the last codon is a stop.

    Returns:
        None where the rules of the nomenclature leave room, or nothing can be told: these are counted, not compared.
    """
    changed = coding[:begin] + new + coding[end:]
    before = translate(coding)
    now = translate(changed + (after if stops else ""))
    if starts and changed[:3] != coding[:3]:
        return "p.(Met1?)"
    if not stops and end > len(coding) - len(coding) % 3:
        return None
    shift = (len(new) - (end - begin)) % 3
    if before == now:
        return _silent(before, begin, end, new)
    first = next(
        (at for at, (left, right) in enumerate(zip(before, now, strict=False)) if left != right),
        min(len(before), len(now)),
    )
    if first >= len(before) or first >= len(now):
        return None
    place = f"{THREE[before[first]]}{first + 1}"
    if before[first] == "*":
        reach = now.find("*") - first
        return f"p.({place}{THREE[now[first]]}extTer{reach if now.endswith('*') else '?'})"
    if now[first] == "*":
        if not shift and len(new) < end - begin and before[first + 1 :] == "*":
            return None  # the loss of the last residue, or a stop in its place
        return f"p.({place}Ter)"
    if shift and now.endswith("*") and 3 * len(now) <= begin + len(new):
        return None  # the stop is in what was inserted: a frame shift to some, an insertion to others
    if shift:
        reach = now.find("*") - first + 1
        return f"p.({place}{THREE[now[first]]}fsTer{reach if now.endswith('*') else '?'})"
    if len(now) != len(before) + (len(new) - (end - begin)) // 3:
        return None  # a new stop behind other new residues, which may be told in several ways
    return _in_frame(before, now, first)


def _silent(before: str, begin: int, end: int, new: str) -> str | None:
    if end - begin != len(new):
        return None
    first, last = begin // 3, (end - 1) // 3
    return f"p.({THREE[before[first]]}{first + 1}=)" if first == last and last < len(before) else None


def _in_frame(before: str, now: str, first: int) -> str | None:  # noqa: PLR0911 - likewise
    """Substitutions, deletions, insertions, duplications and replacements that keep the frame."""
    if not now.endswith("*") and before.endswith("*"):
        return None
    shared = 0
    while shared < min(len(before), len(now)) - first and before[-1 - shared] == now[-1 - shared]:
        shared += 1
    old, new = before[first : len(before) - shared], now[first : len(now) - shared]
    if "*" in new[:-1] or new.endswith("*"):
        return None
    if len(old) == 1 == len(new):
        return f"p.({THREE[old]}{first + 1}{THREE[new]})"
    if not new:
        return f"p.({_range(before, first, first + len(old) - 1)}del)"
    if not old:
        size = len(new)
        if before[first - size : first] == new and first >= size:
            return f"p.({_range(before, first - size, first - 1)}dup)"
        if first == 0 or first >= len(before):
            return None
        return f"p.({_range(before, first - 1, first)}ins{''.join(map(THREE.get, new))})"
    return f"p.({_range(before, first, first + len(old) - 1)}delins{''.join(map(THREE.get, new))})"


def _range(protein: str, first: int, last: int) -> str:
    left = f"{THREE[protein[first]]}{first + 1}"
    return left if first == last else f"{left}_{THREE[protein[last]]}{last + 1}"
