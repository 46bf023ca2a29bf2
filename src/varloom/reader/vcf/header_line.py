"""One structured header line, such as `##INFO=<ID=DP,Number=1,Type=Integer,Description="Read depth">`."""

from __future__ import annotations

import re
from typing import NamedTuple

_PAIR = re.compile(
    r"""\s*(?P<key>[^=,<>"]+?)\s*=\s*
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"
          |(?P<list>\[[^\]]*\])
          |(?P<plain>[^,"]*))
        \s*(?:,|$)""",
    re.VERBOSE,
)
_LOOSE_DESCRIPTION = re.compile(r'(?:^|,)Description="(?P<text>.*)"\s*$')


class Attribute(NamedTuple):
    """The value of one attribute, without its quotes."""

    value: str
    quoted: bool


def parse_attributes(body: str) -> dict[str, Attribute] | None:
    """The attributes between `<` and `>`; None when they are not KEY=VALUE pairs separated by commas.

    A description with unescaped quotes within is read up to its last quote, as it stands in many real files.
    """
    attributes = _parse_pairs(body)
    if attributes is None and (loose := _LOOSE_DESCRIPTION.search(body)):
        attributes = _parse_pairs(body[: loose.start()])
        if attributes is not None:
            attributes["Description"] = Attribute(loose["text"], quoted=True)
    return attributes


def _parse_pairs(body: str) -> dict[str, Attribute] | None:
    attributes: dict[str, Attribute] = {}
    position = 0
    while position < len(body):
        pair = _PAIR.match(body, position)
        if pair is None or pair.end() == position:
            return None
        quoted, listed, plain = pair["quoted"], pair["list"], pair["plain"]
        if quoted is not None:
            attribute = Attribute(quoted.replace('\\"', '"').replace("\\\\", "\\"), quoted=True)
        else:
            attribute = Attribute(listed if listed is not None else plain, quoted=False)
        attributes.setdefault(pair["key"], attribute)
        position = pair.end()
    return attributes
