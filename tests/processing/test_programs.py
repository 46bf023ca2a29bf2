"""Programs beside this process: their failures are told in their own words, and none of them is left behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from varloom.errors import VarloomError
from varloom.processing.programs import Pipe, Stage, failed, pipe, pipes, run
from varloom.processing.results import link


def test_a_failure_is_told_in_the_program_s_words(tmp_path):
    with pytest.raises(VarloomError) as caught:
        pipe([Stage.samtools("view", "-u", tmp_path / "none.bam"), Stage.samtools("sort", "-")], lambda: None)
    assert caught.value.code == "program_failed"
    assert "samtools view | samtools sort failed: " in caught.value.message
    with pytest.raises(VarloomError) as caught:
        pipe([Stage.bcftools("index", tmp_path / "none.vcf")], lambda: None)
    assert "none.vcf" in caught.value.message


def test_output_goes_where_it_is_to_go(tmp_path):
    source = tmp_path / "reads.sam"
    source.write_text("@SQ\tSN:1\tLN:100\n" + "r\t0\t1\t5\t60\t4M\t*\t0\t0\tACGT\tIIII\n" * 1000)
    stages = [Stage.samtools("view", "-u", source), Stage.samtools("flagstat", "-")]
    for together in (False, True):
        told = [tmp_path / f"{number}{together}" for number in range(2)]
        pipes([Pipe(tuple(stages), output) for output in told], lambda: None, together=together)
        assert [path.read_text().partition(" in total")[0] for path in told] == ["1000 + 0"] * 2


def test_what_is_ended_from_outside_is_told_so():
    with pytest.raises(VarloomError) as caught:
        run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], "samtools sort", lambda: None)
    assert caught.value.message == "samtools sort was ended by signal 9."
    assert caught.value.kind.retryable
    full = failed("samtools sort", 1, "samtools sort: No space left on device")
    assert full.code == "disk_full"


def test_who_cancels_leaves_nothing_behind():
    class CancelledError(Exception):
        pass

    def cancel():
        raise CancelledError

    busy = "import os, sys; os.fork()\nwhile True: pass"
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(CancelledError):
        run([sys.executable, "-c", busy], "busy", cancel)
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_programs_die_with_the_process_that_started_them(tmp_path):
    fifo = tmp_path / "never.bam"
    os.mkfifo(fifo)
    script = (
        "import sys; from varloom.processing.programs import Stage, pipe; "
        "pipe([Stage.samtools('view', '-u', sys.argv[1]), Stage.samtools('sort', '-')], lambda: None)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(fifo)], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(found := psutil.Process(parent.pid).children(recursive=True)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not psutil.wait_procs(found, timeout=20)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_guardian_ends_its_command_and_nothing_else_of_a_shell_s_script():
    script = (
        "import subprocess, sys; subprocess.Popen(['sleep', '97']); "
        "subprocess.run([sys.executable, '-m', 'varloom.processing.parabricks.guardian', 'sleep', '98'])"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(found := psutil.Process(parent.pid).children(recursive=True)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [beside] = [one for one in found if one.cmdline()[-1] == "97"]
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs([one for one in found if one != beside], timeout=20)
    try:
        assert len(gone) == 2, alive
        assert beside.is_running()
    finally:
        beside.kill()


def test_a_link_is_one_to_the_file_and_not_to_a_symbolic_link(tmp_path):
    (tmp_path / "file").write_text("reads")
    (tmp_path / "symbolic").symlink_to("file")
    (tmp_path / "work").mkdir()
    link(tmp_path / "symbolic", tmp_path / "work" / "linked")
    assert not (tmp_path / "work" / "linked").is_symlink()
    assert (tmp_path / "work" / "linked").read_text() == "reads"
