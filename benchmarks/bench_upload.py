"""How fast a large file is uploaded over several requests (tus), beside one plain POST of the same bytes.

    .venv/bin/python benchmarks/bench_upload.py [--mib 1024] [--rounds 5]

The server is `varloom serve` on this machine, without slots, so that nothing reads what arrived; the client sends from
memory, over one connection. tus sends portions of 16 MiB, as the browser does: each is durable when its answer comes.
Both have their turn in each round. Writes build/bench/upload.json; ends with 1 if tus is slower than 0.8 of the POST.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from peer_environment import BUILD, ROOT

sys.path.insert(0, str(ROOT))

from tests.running import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORTION = 16 << 20
PIECE = 1 << 20
LEAST = 0.8
"""So much of the speed of a plain POST tus must reach."""
HEADER = b"##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LINE = b"chr1\t1000\t.\tA\tC\t50\tPASS\t.\n"
NO_SLOTS = "download=0,process=0,annotate=0,parse=0"


def main() -> int:
    """Measure, print and keep: 0 if the goal is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    size = asked.mib << 20
    seconds: dict[str, list[float]] = {"POST": [], "tus": []}
    folder = Path(tempfile.mkdtemp(prefix="varloom-bench-"))
    folder.chmod(0o711)
    try:
        with serving(folder / "data", "--slots", NO_SLOTS) as server:
            ways: dict[str, Callable[[http.client.HTTPConnection, str, int], None]] = {"POST": post, "tus": tus}
            for number in range(asked.rounds + 1):  # the first is not counted
                for name, send in ways.items():
                    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=600)
                    began = time.perf_counter()
                    send(connection, server.token, size)
                    if number:
                        seconds[name].append(time.perf_counter() - began)
                    connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratio = median(post / tus for post, tus in zip(seconds["POST"], seconds["tus"], strict=True))
    rates = {name: size / median(found) / 1e6 for name, found in seconds.items()}
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    report = {"bytes": size, "megabytes_a_second": rates, "tus_to_post": ratio, "seconds": seconds}
    (BUILD / "bench" / "upload.json").write_text(json.dumps(report, indent=2))
    for name, rate in rates.items():
        print(f"{name:5} {rate:6.0f} MB/s")
    print(f"tus reaches {ratio:.2f} of a plain POST (at least {LEAST}: {'yes' if ratio >= LEAST else 'NO'})")
    return 0 if ratio >= LEAST else 1


def content(size: int) -> Iterator[bytes]:
    """A VCF of this size, in pieces; its last line may be cut."""
    lines = LINE * (PIECE // len(LINE))
    piece, left = HEADER + lines[len(HEADER) :], size
    while left:
        yield piece[:left]
        left -= min(left, len(piece))
        piece = lines


def post(connection: http.client.HTTPConnection, token: str, size: int) -> None:
    """All in one request, as `curl -F` sends it."""
    border = b"border-of-the-benchmark"
    head = b"--" + border + b'\r\nContent-Disposition: form-data; name="file"; filename="a.vcf"\r\n\r\n'
    tail = b"\r\n--" + border + b"--\r\n"

    def body() -> Iterator[bytes]:
        yield head
        yield from content(size)
        yield tail

    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": f"multipart/form-data; boundary={border.decode()}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    connection.request("POST", "/api/v1/jobs", body(), headers)
    expect(connection, 202)


def tus(connection: http.client.HTTPConnection, token: str, size: int) -> None:
    """In portions, each of which goes on where the server says that it is."""
    given = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    name = {"Upload-Length": str(size), "Upload-Metadata": f"filename {b64encode(b'a.vcf').decode()}"}
    connection.request("POST", "/api/v1/uploads", b"", given | name)
    url = urlsplit(expect(connection, 201).headers["Location"]).path
    pieces, offset = content(size), 0
    while offset < size:
        portion: list[bytes] = []
        while sum(map(len, portion)) < min(PORTION, size - offset):
            portion.append(next(pieces))
        count = sum(map(len, portion))
        headers = {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Content-Length": str(count),
        }
        connection.request("PATCH", url, iter(portion), given | headers)
        offset = int(expect(connection, 204).headers["Upload-Offset"])


def expect(connection: http.client.HTTPConnection, status: int) -> http.client.HTTPResponse:
    """The answer, which must have this status."""
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != status:
        raise SystemExit(f"the server answers {answer.status}: {told.decode(errors='replace')[:500]}")
    return answer


if __name__ == "__main__":
    sys.exit(main())
