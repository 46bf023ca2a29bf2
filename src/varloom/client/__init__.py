"""The Python client: everything that a program does with a server, with types, blocking or not.

```python
from varloom.client import Client

with Client("https://varloom.example:8400", token) as varloom:
    job = varloom.wait(varloom.submit("sample.vcf.gz"))
    for row in varloom.rows(job, "qual > 30"):
        print(row["contig"], row["position"])
```
"""

from varloom.client.asynchronous import AsyncClient
from varloom.client.failures import JobCancelled, JobFailed
from varloom.client.synchronous import Client
from varloom.errors import Place, Problem, VarloomError

__all__ = ["AsyncClient", "Client", "JobCancelled", "JobFailed", "Place", "Problem", "VarloomError"]
