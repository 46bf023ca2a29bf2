"""Names that users and their files carry: shown, never used as a path."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.problems import SAMPLE_NAME_INVALID, TAG_INVALID, VIEW_INVALID
from varloom.services.project_problems import PROJECT_INVALID
from varloom.services.read_files import are_reads, sample_of
from varloom.transfer.problems import CREDENTIAL_INVALID

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TAGS = 20
TAG_LIMIT = 40
VIEW_NAME_LIMIT = 80
PROJECT_NAME_LIMIT = 80
CREDENTIAL_NAME_LIMIT = 80

NAME_LIMIT = 200
"""The most characters of a sample's or a file's name."""

UNNAMED = "upload"
"""What a file without a name is called."""

_EXTENSIONS = re.compile(
    r"(\.(vcf|gvcf|g\.vcf|bcf|csv|tsv|tab|txt|json|parquet))?(\.(gz|bgz|bgzf|bz2|xz|zst|zip))?$", re.IGNORECASE
)
_SEPARATORS = re.compile(r"[/\\]")


def file_name(raw: str | None) -> str:
    """The last part of a name as the user's machine sent it: one line, without control characters, cut to the limit."""
    last = _SEPARATORS.split(raw or "")[-1]
    return _visible(last)[:NAME_LIMIT].strip() or UNNAMED


def sample_name_from(name: str) -> str:
    """A descriptive default for the sample of this file: its name without the known extensions."""
    shown = file_name(name)
    if are_reads(shown):
        return sample_of(shown) or shown
    return _EXTENSIONS.sub("", shown).strip(" .") or shown


def checked_sample_name(name: str) -> str:
    """The sample name that the user gave, trimmed.

    Raises:
        VarloomError: `sample_name_invalid`.
    """
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not trimmed:
        raise VarloomError(SAMPLE_NAME_INVALID, "The sample name is empty.")
    if len(trimmed) > NAME_LIMIT:
        raise VarloomError(
            SAMPLE_NAME_INVALID, f"The sample name has {len(trimmed)} characters; at most {NAME_LIMIT} are allowed."
        )
    if _visible(trimmed) != trimmed:
        raise VarloomError(SAMPLE_NAME_INVALID, f"The sample name contains control characters: {safe_excerpt(trimmed)}")
    return trimmed


def checked_tags(tags: Sequence[str]) -> list[str]:
    """The tags that the user gave, trimmed, each once whatever the case of its letters.

    Raises:
        VarloomError: `tag_invalid`.
    """
    found: dict[str, str] = {}
    for tag in tags:
        trimmed = unicodedata.normalize("NFC", tag).strip()
        if not trimmed or len(trimmed) > TAG_LIMIT or "," in trimmed or _visible(trimmed) != trimmed:
            raise VarloomError(TAG_INVALID, f"{safe_excerpt(trimmed, 60)!r} cannot be a tag.")
        found.setdefault(trimmed.casefold(), trimmed)
    if len(found) > MOST_TAGS:
        raise VarloomError(TAG_INVALID, f"{len(found)} tags are too many; a sample has at most {MOST_TAGS}.")
    return list(found.values())


def checked_credential_name(name: str) -> str:
    """The name of a credential that the user gave, trimmed.

    Raises:
        VarloomError: `credential_invalid`.
    """
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not trimmed or len(trimmed) > CREDENTIAL_NAME_LIMIT or _visible(trimmed) != trimmed:
        raise VarloomError(
            CREDENTIAL_INVALID, f"name: expected 1 to {CREDENTIAL_NAME_LIMIT} characters, none of them a control one."
        )
    return trimmed


def checked_view_name(name: str) -> str:
    """The name of a view that the user gave, trimmed.

    Raises:
        VarloomError: `view_invalid`.
    """
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not trimmed or len(trimmed) > VIEW_NAME_LIMIT or _visible(trimmed) != trimmed:
        raise VarloomError(VIEW_INVALID, f"{safe_excerpt(trimmed, 100)!r} cannot be the name of a view.")
    return trimmed


def checked_project_name(name: str) -> str:
    """The name of a project that the user gave, trimmed.

    Raises:
        VarloomError: `project_invalid`.
    """
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not trimmed or len(trimmed) > PROJECT_NAME_LIMIT or _visible(trimmed) != trimmed:
        raise VarloomError(PROJECT_INVALID, f"{safe_excerpt(trimmed, 100)!r} cannot be the name of a project.")
    return trimmed


def _visible(text: str) -> str:
    """Without control characters, invisible direction marks and lone surrogates: they cannot be shown."""
    return "".join(char for char in text if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
