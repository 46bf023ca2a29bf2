"""What no process of a server is to hold: pandas, which pyarrow would import with its first array."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from api_support import VCF

from running import serving


@pytest.mark.skipif(sys.platform != "linux", reason="where else does a process tell what it has mapped?")
def test_no_process_of_a_server_holds_pandas(data_folder):
    with serving(data_folder) as server:
        job = server.at_rest(server.submit(VCF, "a.vcf")["id"])
        assert job["state"] == "completed"
        server.client.get(f"samples/{job['sample_id']}/rows").raise_for_status()
        family = [psutil.Process(server.popen.pid), *psutil.Process(server.popen.pid).children(recursive=True)]
        ours = [one for one in family if "varloom" in " ".join(one.cmdline())]
        maps = {" ".join(one.cmdline()): Path(f"/proc/{one.pid}/maps").read_text() for one in ours}
    assert len(maps) >= 3, maps.keys()
    assert sum("libarrow" in text for text in maps.values()) >= 2, "the maps tell of libraries"
    assert [command for command, text in maps.items() if "/pandas/" in text] == []


def test_a_program_that_uses_the_client_keeps_its_pandas():
    code = "import varloom.client, pandas, pyarrow; print(pyarrow.table({'a': [1]}).to_pandas().a[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
