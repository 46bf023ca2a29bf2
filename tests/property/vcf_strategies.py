"""Strategies for VCFs that are weird but can be read: each is a text of whole lines."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("VARLOOM_EXAMPLES", "1"))
"""How many times as many examples as usual are tried; above 1 they are new ones each time."""

KEYS = ["AA", "B", "c.d", "E_1", "DP", "dp", "AD", "GT2", "LAA", "PSL", "1000G", "DP_text"]
NUMBERS = ["0", "1", "2", "3", ".", "A", "R", "G", "LA", "LR", "LG", "M", "P"]
TYPES = ["Integer", "Float", "String", "Flag", "Character"]
SAMPLES = ["NA1", "na2", "S 3", "é", "INFO", "FORMAT", "x.y", "7", *(f"s{at}" for at in range(30))]

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="\t\n\r;:=,|/\u0085\u2028"),
    min_size=1,
    max_size=6,
)
INTEGERS = st.one_of(
    st.integers(-10, 10).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["+5", "-0", "007", str(2**31), str(2**63 - 1), str(-(2**63)), str(2**63), "1.0", "0x1", "\u0661"]),
)
FLOATS = st.one_of(
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        ["1e-400", "1e400", ".5", "5.", "+.5E+3", "-nan", "INF", "Infinity", "1e", ".", "-0.0", "1_0", "1e5x"]
    ),
    st.from_regex(r"[0-9]{15,25}\.[0-9]{0,25}(e-?[0-9]{1,3})?", fullmatch=True),
)
TEXTS = st.one_of(
    TEXT, st.sampled_from(["%3B", "%25", "%253A", "%zz", "%", "%0", "%3b", "a%2Cb", "A|B|C", "", "NA", ".."])
)
VALUE = st.one_of(st.just("."), INTEGERS, FLOATS, TEXTS)
VALUES = st.lists(VALUE, min_size=1, max_size=7).map(",".join)
BASES = st.text("ACGTNacgt", min_size=1, max_size=4)
REF = BASES | st.sampled_from(["R", "*", "<X>"])
ALLELE = BASES | st.sampled_from(
    ["*", "<DEL>", "<DUP:TANDEM>", "<NON_REF>", "<*>", "<CN0>", "A[2:5[", "]x:1]C", ".A", "G.", "[<ctg>:7[T", "R", "<"]
)
ALT = st.just(".") | st.lists(ALLELE, min_size=1, max_size=4).map(",".join)
GENOTYPE = st.sampled_from(
    ["0/1", "1|0", ".", "./.", "1", "0/1/1", "|0", "/0|1", "2/3", "0|1|2|1", "x", "0/", "10/11", "0/1|.", "1234567890"]
)


def examples(count: int) -> settings:
    return settings(
        max_examples=count * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def values(number: str, kind: str, alternates: int) -> st.SearchStrategy[str]:
    """Values of a declared field, as they should be; `VALUES` has the others."""
    count = {"A": alternates, "R": alternates + 1, "G": (alternates + 1) * (alternates + 2) // 2, "1": 1, "2": 2}
    value = {"Integer": INTEGERS, "Float": FLOATS}.get(kind, TEXTS)
    if number in count:
        return st.lists(st.just(".") | value, min_size=count[number], max_size=count[number]).map(",".join)
    return st.lists(st.just(".") | value, min_size=1, max_size=5).map(",".join)


@st.composite
def declarations(draw: st.DrawFn, kind: str) -> dict[str, tuple[str, str]]:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=6))
    fields = {key: (draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(TYPES))) for key in keys}
    if kind == "FORMAT" and draw(st.booleans()):
        fields["GT"] = ("1", "String")
    return fields


@st.composite
def field_text(draw: st.DrawFn, fields: dict[str, tuple[str, str]], key: str, alternates: int) -> str:
    if key in fields and draw(st.integers(0, 3)):
        return draw(values(*fields[key], alternates))
    return draw(st.just(".") | VALUES)


@st.composite
def records(draw: st.DrawFn, infos: dict, formats: dict, contigs: list[str], samples: int) -> str:
    alt = draw(ALT)
    alternates = 0 if alt == "." else alt.count(",") + 1
    info = []
    for key in draw(st.lists(st.sampled_from([*infos, *KEYS]), max_size=6)):
        bare = draw(st.integers(0, 5)) == 0 or infos.get(key, ("", ""))[1] == "Flag"
        info.append(key if bare else f"{key}={draw(field_text(infos, key, alternates))}")
    info += draw(st.sampled_from([[], [], [], [""]]))
    quality = draw(st.one_of(st.just("."), st.integers(-5, 10**6).map(str), st.floats(0, 1e6).map(repr)))
    filters = draw(st.sampled_from([".", "PASS", "q10", "q10;s50", "q10;q10", "0"]))
    fields = [draw(st.sampled_from(contigs)), str(draw(st.integers(0, 12) | st.integers(0, 10**11)))]
    fields += [draw(st.just(".") | TEXT | st.just("rs1;rs2")), draw(REF), alt, quality, filters]
    fields.append(";".join(info) or ".")
    if samples:
        keys = draw(st.lists(st.sampled_from([*formats, *formats, *KEYS, "GT"]), max_size=4))
        cells = []
        for _ in range(samples):
            texts = [draw(GENOTYPE if key == "GT" else field_text(formats, key, alternates)) for key in keys]
            texts = [text.replace(":", "") for text in texts]
            cells.append(":".join(texts[: draw(st.integers(1, len(texts)))]) if keys else ".")
        fields += [":".join(keys) or ".", *cells]
    return "\t".join(fields)


@st.composite
def vcfs(draw: st.DrawFn, most_records: int = 6) -> str:
    samples = draw(st.lists(st.sampled_from(SAMPLES), unique=True, max_size=3) | st.permutations(SAMPLES[:20]))
    infos, formats = draw(declarations("INFO")), draw(declarations("FORMAT"))
    contigs = draw(st.lists(st.sampled_from(["1", "chr2", "HLA:A*01:01", "é", "KI270302.1"]), min_size=1, unique=True))
    lines = [f"##fileformat=VCFv4.{draw(st.integers(0, 5))}", "##FILTER=<ID=q10,Description=d>"]
    for kind, fields in (("INFO", infos), ("FORMAT", formats)):
        for key, (number, value_type) in fields.items():
            lines.append(f'##{kind}=<ID={key},Number={number},Type={value_type},Description="made up">')
    if draw(st.booleans()):
        lines += [f"##contig=<ID={contig},length=100>" for contig in contigs]
    names = ["FORMAT", *samples] if samples else []
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *names]))
    data = draw(st.lists(records(infos, formats, contigs, len(samples)), max_size=most_records))
    if draw(st.booleans()) and data:
        data.insert(draw(st.integers(0, len(data) - 1)), draw(st.sampled_from(["", *data])))
    return "".join(f"{line}\n" for line in [*lines, *data])
