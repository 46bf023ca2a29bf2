"""The process that tries an access: it is asked on standard input, and answers on standard output, in JSON.

A process of its own, since whoever is asked may keep it as long as he likes, and since the environment of the server,
which leads to its storage, must not decide where a credential is sent.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from varloom.errors import VarloomError
from varloom.transfer.access import Access, Credential
from varloom.transfer.model import TransferOptions
from varloom.transfer.questions import probe
from varloom.transfer.source_url import parse_source_url


def main() -> None:
    """Try what is asked for."""
    json.dump(answer_to(json.load(sys.stdin)), sys.stdout)


def answer_to(asked: dict[str, Any]) -> dict[str, Any]:
    """The size of the file, which may not be known, or the error."""
    options = TransferOptions.from_json(asked["options"])
    source = parse_source_url(asked["url"], options.cloud_endpoints)
    try:
        return {"bytes": probe(Access(source, Credential.from_json(asked["credential"])), options)}
    except VarloomError as error:
        return {"error": error.as_dict("download")}


if __name__ == "__main__":
    main()
