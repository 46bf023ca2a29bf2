"""Installs Varloom from dist/wheelhouse as a user does, and loads a file: `prove_install.py [uv] [pipx] [pip]`.

Run by `make prove-install`. Each installer has a home of its own, a PATH without node, npm or a compiler, and, where
the system lets it, no network. Timed is what a user waits for: from the beginning of the installation to the table. It
fails when anything does, when a record is missing, or after three minutes.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "dist" / "wheelhouse"
BIN = Path(sys.executable).parent
SHARED = ROOT.parent / "shared" / "data" / "variants" / "HG002_GRCh38_chr22_v4.2.1.vcf.gz"
LIMIT = 180.0
ABSENT = ("node", "npm", "gcc", "cc", "g++", "clang", "make", "git")
CUT_OFF = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--net", "--map-root-user")

OWN = """\
##fileformat=VCFv4.2
##contig=<ID=chr22,length=50818468>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr22\t16847963\trs2\tT\tC,G\t61\tPASS\t.
chr22\t19963748\trs4680\tG\tA\t48.7\tPASS\t.
"""


class Home:
    """A user's home with nothing in it, and a PATH with nothing but what is installed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / ".local" / "bin"
        self.bin.mkdir(parents=True)
        python = Path(sys.base_prefix) / "bin" / "python3"
        (self.bin / "python3").symlink_to(python.resolve())
        self.environment = {
            "HOME": str(folder),
            "PATH": str(self.bin),
            "LANG": "C.UTF-8",
            "TMPDIR": str(folder),
            "UV_PYTHON": str(self.bin / "python3"),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for name in ABSENT:
            if found := shutil.which(name, path=self.environment["PATH"]):
                sys.exit(f"{found} is there: this proves nothing.")

    def run(self, *command: str | Path, **options: str) -> str:
        """Run a command to its end, and return what it printed.

        Raises:
            SystemExit: it failed.
        """
        environment = self.environment | options
        program = shutil.which(str(command[0]), path=self.environment["PATH"]) or str(command[0])
        done = subprocess.run(
            [program, *command[1:]], env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        if done.returncode:
            sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


def install(installer: str, home: Home) -> None:
    """Install Varloom from the folder of wheels alone."""
    source = ["--no-index", "--find-links", str(HOUSE)]
    if installer == "uv":
        home.run(BIN / "uv", "tool", "install", "--offline", *source, "varloom")
    elif installer == "pipx":
        options = {"PIPX_DEFAULT_PYTHON": str(home.bin / "python3"), "PIPX_DEFAULT_BACKEND": "pip"}
        home.run(BIN / "pipx", "install", "--pip-args", " ".join(source), "varloom", **options)
    else:
        environment = home.folder / "environment"
        home.run("python3", "-m", "venv", str(environment))
        hashed = ["--require-hashes", "--requirement", str(HOUSE / "requirements.txt")]
        home.run(environment / "bin" / "pip", "install", "--quiet", *source, *hashed)
        (home.bin / "varloom").symlink_to(environment / "bin" / "varloom")


def prove(installer: str, vcf: Path) -> None:
    """Install, serve, submit, wait, and read the table."""
    with tempfile.TemporaryDirectory(prefix=f"varloom-{installer}-") as temporary:
        home = Home(Path(temporary))
        began = time.monotonic()
        install(installer, home)
        installed = time.monotonic() - began
        home.environment["VARLOOM_DATA"] = str(home.folder / "data")
        with (home.folder / "server.log").open("w+") as log:
            server = subprocess.Popen(
                [home.bin / "varloom", "serve", "--port", "0"],
                env=home.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _wait_until_ready(server, log)
                ready = time.monotonic() - began
                home.run("varloom", "submit", str(vcf), "--name", "proof", "--wait")
                first = home.run("varloom", "export", "proof", "--columns", "contig,position,ref,alt").splitlines()
                took = time.monotonic() - began
                home.run("varloom", "doctor", "--port", "0")
            finally:
                server.send_signal(signal.SIGTERM)
                status = server.wait(60)
            rows = len(first) - 1
            times = f"installed after {installed:.1f} s, ready after {ready:.1f} s, {rows:,} rows after {took:.1f} s"
            print(f"{installer}: {times}")
            if rows != (wanted := variants_of(vcf)):
                sys.exit(f"The file has {wanted:,} variants, the table {rows:,} rows.")
            if status or took > LIMIT:
                sys.exit(f"The server ended with {status}; the whole took {took:.0f} of {LIMIT:.0f} seconds.")


def _wait_until_ready(server: subprocess.Popen[bytes], log: TextIO) -> None:
    began = time.monotonic()
    while "Varloom is ready at" not in Path(log.name).read_text():
        if server.poll() is not None or time.monotonic() - began > LIMIT:
            sys.exit(f"The server did not start:\n{Path(log.name).read_text()}")
        time.sleep(0.05)


def variants_of(vcf: Path) -> int:
    """How many rows the table must have: one for each allele of each record, counted without Varloom."""
    content = gzip.decompress(vcf.read_bytes()) if vcf.suffix == ".gz" else vcf.read_bytes()
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    return sum(line.split("\t", 5)[4].count(",") + 1 for line in lines)


def main() -> int:
    """Prove each installer, in a network of its own that leads nowhere."""
    parser = argparse.ArgumentParser()
    parser.add_argument("installers", nargs="*", default=["uv", "pipx", "pip"])
    parser.add_argument("--vcf", type=Path)
    parser.add_argument("--cut-off", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not HOUSE.is_dir():
        sys.exit("There is no dist/wheelhouse: run `make wheelhouse` first.")
    if not given.cut_off:
        inside = [sys.executable, __file__, *given.installers, "--cut-off"]
        inside += ["--vcf", str(given.vcf)] if given.vcf else []
        if subprocess.run([*CUT_OFF, "ip", "link"], capture_output=True, check=False).returncode == 0:
            return subprocess.run(
                [*CUT_OFF, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *inside], check=False
            ).returncode
        print("This system lets nobody make a network of one's own: the options alone keep the installers offline.")
    with tempfile.TemporaryDirectory(prefix="varloom-file-") as temporary:
        vcf = given.vcf or SHARED
        if not vcf.is_file():
            vcf = Path(temporary, "own.vcf")
            vcf.write_text(OWN)
        for installer in given.installers:
            prove(installer, vcf.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
