"""Compares the records that a reader gave with the text of the file, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
FIXED = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell that is not as in the file. `given` is `_ABSENT` for a cell that the reader does not have at all."""

    cell: str
    text: str
    given: Any

    @property
    def dropped(self) -> bool:
        """Whether the reader has nothing where the file has something."""
        return self.given is _ABSENT


def records_of(text: str) -> list[Record]:
    """The records of a VCF's text, every value as it stands there; keys that come again are numbered."""
    samples: list[str] = []
    records = []
    for line in text.split("\n"):
        cells = line.split("\t")
        if line.startswith("#CHROM"):
            samples = _numbered(cells[9:])
        elif line and not line.startswith("#"):
            records.append(_record(cells, samples))
    return records


def _record(cells: list[str], samples: list[str]) -> Record:
    cells += [""] * (8 - len(cells))
    entries = [] if cells[7] in {".", ""} else cells[7].split(";")
    keys = _numbered([entry.partition("=")[0] for entry in entries])
    info = {key: entry.partition("=")[2] if "=" in entry else True for key, entry in zip(keys, entries, strict=True)}
    formats = _numbered(cells[8].split(":")) if len(cells) > 8 else []
    values = {name: _sample(formats, cell) for name, cell in zip(samples, cells[9:], strict=False)}
    further = {f"column {10 + at}": {"": cells[9 + at]} for at in range(len(samples), len(cells) - 9)}
    return {
        **dict(zip(FIXED, cells, strict=False)),
        "ALT": cells[4].split(","),
        "FILTER": cells[6].split(";"),
        "INFO": info,
        "SAMPLES": values | further,
    }


def _sample(keys: list[str], cell: str) -> dict[str, str]:
    values = cell.split(":")
    names = keys + [f"value {number + 1}" for number in range(len(keys), len(values))]
    return dict(zip(names, values, strict=False))


def _numbered(names: list[str]) -> list[str]:
    return [name if name not in names[:at] else f"{name}#{names[:at].count(name) + 1}" for at, name in enumerate(names)]


def differences(expected: list[Record], given: list[Record]) -> list[Difference]:
    """The cells of the records that both have which are not the same, in the order of the file."""
    found = []
    for one, other in zip(expected, given, strict=False):
        cells, others = _cells(one), _cells(other)
        for cell, text in cells.items():
            value = others.get(cell, _ABSENT)
            if not same(text, None if value is _ABSENT else value):
                found.append(Difference(cell, _shown(text), value))
        further = sorted(others.keys() - cells.keys())
        found += [Difference(cell, "", others[cell]) for cell in further if not is_missing(others[cell])]
    return found


def _cells(record: Record) -> dict[str, Any]:
    cells = {name: record[name] for name in FIXED}
    cells.update({f"INFO {key or '(no key)'}": value for key, value in record["INFO"].items()})
    for name, values in record["SAMPLES"].items():
        cells.update({f"{name} {key}".rstrip(): value for key, value in values.items()})
    return cells


def same(text: Any, given: Any) -> bool:
    """Whether the value is that of the text: numbers to the last bit of a 64-bit float, lists by their items."""
    if isinstance(text, list) or isinstance(given, list):
        texts = text if isinstance(text, list) else str(text).split(",")
        items = given if isinstance(given, list) else [given]
        if all(is_missing(one) for one in texts):
            return all(is_missing(one) for one in items)
        return len(texts) == len(items) and all(map(same, texts, items))
    if is_missing(text) or is_missing(given):
        return is_missing(text) and is_missing(given)
    if isinstance(text, bool) or isinstance(given, bool):
        return text is given
    if isinstance(given, str):
        return text == given or _number(text) == _number(given) is not None
    return _number(text) == given


def is_missing(value: Any) -> bool:
    """Whether nothing stands there, in a file or in what a reader gives; a flag that is not set is nothing, too."""
    if isinstance(value, list):
        return all(is_missing(one) for one in value)
    return value in (None, "", ".", "./.", ".|.") or value is False


def _number(text: str) -> float | None:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None


def _shown(text: Any) -> str:
    return ",".join(text) if isinstance(text, list) else "set" if text is True else str(text)
