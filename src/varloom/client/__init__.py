"""The Python client: everything that a program does with a server, with types, blocking or not.

```python
from varloom.client import Client

with Client("https://varloom.example:8400", token) as varloom:
    job = varloom.wait(varloom.submit("sample.vcf.gz"))
    for row in varloom.rows(job, "qual > 30"):
        print(row["contig"], row["position"])
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varloom.client.asynchronous import AsyncClient
    from varloom.client.failures import JobCancelled, JobFailed
    from varloom.client.synchronous import Client
    from varloom.errors import Place, Problem, VarloomError

__all__ = ["AsyncClient", "Client", "JobCancelled", "JobFailed", "Place", "Problem", "VarloomError"]

_WHERE = {
    "AsyncClient": "varloom.client.asynchronous",
    "Client": "varloom.client.synchronous",
    "JobCancelled": "varloom.client.failures",
    "JobFailed": "varloom.client.failures",
    "Place": "varloom.errors",
    "Problem": "varloom.errors",
    "VarloomError": "varloom.errors",
}
"""Imported when they are asked for: the command line, which uses parts of the client, starts in no time."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
