"""The prescribing guidance that PharmCAT reports by, into `pgx.json`: what CPIC recommends, and how strongly.

Source of the format: `prescribing_guidance.json` of PharmCAT 3 (folder `reporter`): a `version`, and `guidelines` that
each have a `guideline`, its `recommendations`, `citations` and a `url`; the data are those of ClinPGx. Guidelines of
DPWG and labels of the FDA lie in the same file; they are counted and left out, since they tell no strength.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.pgx_content import Advice, Guideline, PgxContent
from varloom.annotation.refs.pgx_pharmcat import parsed_json
from varloom.annotation.refs.problems import REFERENCE_MALFORMED, REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.published_text import malformed
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask

SOURCE = "CPIC guidelines (prescribing guidance of ClinPGx)"
OTHERS = "guidelines and labels of others than CPIC, which tell no strength"
OF_NO_DRUG = "recommendations that name no drug or nobody whom they are for"
NOT_GUIDANCE = "files that are no prescribing guidance"
_CPIC = ("CPIC", "Guideline Annotation")
_UNSPECIFIED = frozenset({"", "n/a", "unspecified"})
_MOST_OF_NAME = 2_000
_MOST_OF_TEXT = 50_000
_BLOCKS = frozenset({"p", "li", "ul", "ol", "br", "tr", "div", "h1", "h2", "h3", "h4", "h5", "h6"})
_CELLS = frozenset({"td", "th"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = frozenset({"script", "style"})


def import_guidance(task: ImportTask) -> Imported:
    """Fill a release of the kind `pgx` with the recommendations of CPIC's guidelines.

    Raises:
        VarloomError: `reference_malformed` with the line, or with the entry as the field; `reference_wrong_assembly`.
    """
    if task.key.assembly != "GRCh38":
        raise VarloomError(REFERENCE_WRONG_ASSEMBLY, "Guidance is taken for GRCh38 alone: alleles are called on it.")
    found: list[tuple[Path, dict[str, Any]]] = []
    unused: dict[str, int] = {}
    done, total = 0, sum(path.stat().st_size for path in task.sources)
    for path in task.sources:
        # Beside the guidance lie templates and messages of reports; a file that is given by itself has to be guidance.
        plain = parsed_json(path) if path.suffix == ".json" or len(task.sources) == 1 else None
        if isinstance(plain, dict) and "guidelines" in plain:
            found.append((path, plain))
        else:
            unused[NOT_GUIDANCE] = unused.get(NOT_GUIDANCE, 0) + 1
        done += path.stat().st_size
        task.on_progress(done, total)
    if len(found) != 1:
        message = "No file is a prescribing guidance." if not found else "There is more than one prescribing guidance."
        raise malformed((found[1][0] if found else task.sources[0]), message)
    [(path, plain)] = found
    try:
        content, others = _content(plain)
    except _OfAnotherKindError as error:
        message = f"{safe_excerpt(path.name)}: {safe_excerpt(error.where, 120)} {error.why}."
        raise VarloomError(REFERENCE_MALFORMED, message, Place(field=safe_excerpt(error.where, 120))) from None
    content.save(task.folder)
    idle = sum(not (one.drugs and one.lookup) for guideline in content.guidelines for one in guideline.advice)
    unused |= {reason: count for reason, count in ((OTHERS, others), (OF_NO_DRUG, idle)) if count}
    counts = {
        "guidelines": len(content.guidelines),
        "recommendations": sum(len(one.advice) for one in content.guidelines),
        "drugs": len({drug.lower() for one in content.guidelines for drug in one.drugs}),
    }
    version = f"version {content.version}" if content.version else "of a version that the file does not tell"
    return Imported(counts, {}, unused, (f"The guidance is {version}.",))


class _OfAnotherKindError(Exception):
    """An entry that is missing, or of another kind."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where = where
        self.why = why


def _content(plain: dict[str, Any]) -> tuple[PgxContent, int]:
    """The content, and how many guidelines are not CPIC's."""
    guidelines: list[Guideline] = []
    others = 0
    for number, package in enumerate(_list(plain, "guidelines", "")):
        where = f"guidelines[{number}]"
        about = _object(_object(package, where).get("guideline"), f"{where}.guideline")
        of = (_text(about, "source", f"{where}.guideline"), _text(about, "objCls", f"{where}.guideline"))
        if of == _CPIC:
            guidelines.append(_guideline(package, about, where))
        else:
            others += 1
    if not any(one.advice for one in guidelines):
        raise _OfAnotherKindError("guidelines", "has no recommendation of CPIC")
    version = _optional_text(plain, "version", "")
    return PgxContent(SOURCE, version, {}, {}, guidelines=tuple(guidelines)), others


def _guideline(package: dict[str, Any], about: dict[str, Any], where: str) -> Guideline:
    at = f"{where}.guideline"
    version = about.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise _OfAnotherKindError(f"{at}.version", "is no whole number")
    return Guideline(
        _text(about, "id", at),
        _text(about, "name", at),
        _optional_text(package, "url", where),
        version,
        _names(about, "relatedChemicals", at),
        _pmids(package, where),
        tuple(
            _advice(one, f"{where}.recommendations[{number}]")
            for number, one in enumerate(_list(package, "recommendations", where))
        ),
    )


def _advice(plain: object, where: str) -> Advice:
    one = _object(plain, where)
    html = _object(one.get("text"), f"{where}.text").get("html")
    if not isinstance(html, str) or len(html) > _MOST_OF_TEXT:
        raise _OfAnotherKindError(f"{where}.text.html", "is no text")
    classification = one.get("classification")
    strength = None
    if classification is not None:
        at = f"{where}.classification"
        strength = _optional_text(_object(classification, at), "term", at)
    implications = [] if one.get("implications") is None else _list(one, "implications", where)
    return Advice(
        () if one.get("relatedChemicals") is None else _names(one, "relatedChemicals", where),
        tuple(_lookup(key, f"{where}.lookupKey[{n}]") for n, key in enumerate(_list(one, "lookupKey", where))),
        as_text(html),
        None if strength is None or strength.lower() in _UNSPECIFIED else strength,
        _optional_text(one, "population", where),
        tuple(
            as_text(_is_text(text, f"{where}.implications[{number}]", _MOST_OF_TEXT))
            for number, text in enumerate(implications)
            if text != ""
        ),
    )


def _lookup(plain: object, where: str) -> dict[str, str | dict[str, float]]:
    """By gene: a phenotype, an activity score, or how many copies of which alleles."""
    found: dict[str, str | dict[str, float]] = {}
    for gene, value in _object(plain, where).items():
        at = f"{where}.{gene}"
        if isinstance(value, dict):
            for name, copies in value.items():
                if isinstance(copies, bool) or not isinstance(copies, int | float):
                    raise _OfAnotherKindError(f"{at}.{name}", "is no number of copies")
            found[gene] = {name: float(copies) for name, copies in value.items()}
        else:
            found[gene] = _is_text(value, at)
    if not found:
        raise _OfAnotherKindError(where, "names no gene")
    return found


def _names(plain: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    at = f"{where}.{name}"
    return tuple(
        _text(_object(one, f"{at}[{number}]"), "name", f"{at}[{number}]")
        for number, one in enumerate(_list(plain, name, where))
    )


def _pmids(package: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if package.get("citations") is None:
        return ()
    cited = enumerate(_list(package, "citations", where))
    told = (
        _optional_text(_object(one, f"{where}.citations[{n}]"), "pmid", f"{where}.citations[{n}]") for n, one in cited
    )
    return tuple(pmid for pmid in told if pmid)


# --- kinds of entries -------------------------------------------------------------------------------------------------


def _object(plain: object, where: str) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise _OfAnotherKindError(where, "is missing" if plain is None else "is no object")
    return plain


def _list(plain: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = plain.get(name)
    if not isinstance(found, list):
        at = f"{where}.{name}".removeprefix(".")
        raise _OfAnotherKindError(at, "is missing" if found is None else "is no list")
    return found


def _text(plain: Mapping[str, Any], name: str, where: str) -> str:
    return _is_text(plain.get(name), f"{where}.{name}".removeprefix("."))


def _optional_text(plain: Mapping[str, Any], name: str, where: str) -> str | None:
    value = plain.get(name)
    return None if value is None or value == "" else _text(plain, name, where)


def _is_text(value: object, where: str, most: int = _MOST_OF_NAME) -> str:
    if not isinstance(value, str):
        raise _OfAnotherKindError(where, "is missing" if value is None else "is no text")
    if not value.strip() or len(value) > most:
        raise _OfAnotherKindError(where, "is empty or too long")
    return value.strip()


# --- HTML -------------------------------------------------------------------------------------------------------------


class _Plain(HTMLParser):
    """Collects what a reader would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._silent += tag in _SILENT
        self.parts.append("\n" if tag in _BLOCKS else " " if tag in _CELLS else "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        self.parts.append(":" if tag in _HEADINGS else "")
        self.parts.append("\n" if tag in _BLOCKS else " " if tag in _CELLS else "")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def as_text(html: str) -> str:
    """The words of a piece of HTML on one line, without its marks.

    >>> as_text('<p>Use &lt; 50 %</p><h4 id="o">Other</h4><ul><li>One</li><li>two</li></ul>')
    'Use < 50 % Other: One two'
    """
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return " ".join("".join(parser.parts).split())
