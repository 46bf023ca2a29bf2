"""Whatever a file holds, it is text: no field of it becomes a script, a link to elsewhere or a broken page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visiting import Visitor

pytestmark = pytest.mark.browser

BREAKS_OUT = "\"><img src=x onerror=alert(1)>'<script>alert(2)</script>"
TEMPLATES = "{{7*7}}${7*7}<svg/onload=alert(3)>"
INFO = "%3Cimg src=x onerror=alert(4)%3E<img/src=x/onerror=alert(5)>"
VCF = f"""##fileformat=VCFv4.2
##source={BREAKS_OUT}
##contig=<ID=chr<b>,assembly="{TEMPLATES}">
##FILTER=<ID=f<i>,Description="</script><script>alert(6)</script>">
##INFO=<ID=TXT,Number=.,Type=String,Description="{TEMPLATES}">
##FORMAT=<ID=GT,Number=1,Type=String,Description="<iframe src=javascript:alert(7)>">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t<img/src=x/onerror=alert(8)>
chr<b>\t100\trs1<u>\tA\tG\t50\tf<i>\tTXT={INFO}\tGT\t0/1
chr<b>\t200\t{TEMPLATES}\tC\t<DEL<script>alert(9)</script>>\t50\tPASS\tTXT=javascript:alert(10)\tGT\t1/1
"""
QUOTED = BREAKS_OUT.replace('"', '""')
TABLE = f"""a<img src=x onerror=alert(11)>,"b{TEMPLATES}","=cmd|' /C calc'!A0"\n"{QUOTED}",2,-1+1\n"""
BROKEN = "a,b\n1,2\n<img src=x onerror=alert(12)>,2,3\n"
FILES = {
    "<img src=x onerror=alert(13)>.vcf": VCF,
    f"{TEMPLATES.replace('/', '')}.csv": TABLE,
    "..\\..\\<b>broken.csv": BROKEN,
}


def test_nothing_that_a_file_holds_becomes_more_than_text(visitor: Visitor) -> None:
    page, server = visitor.page, visitor.server
    visitor.log_in()
    visitor.expected = ("status of 404", "status of 400")  # PGx that there is none of, and a filter that is none
    jobs = [server.at_rest(server.submit(content.encode(), name)["id"]) for name, content in FILES.items()]
    assert [job["state"] for job in jobs] == ["completed", "completed", "failed"], jobs
    page.click("#jobs-button")
    expect(page.locator("#job-manager [data-job]")).to_have_count(3)
    samples = server.client.get("samples").json()["samples"]
    paths = ["/samples", "/jobs", "/jobs?q=%3Cimg", "/audit", *(f"/jobs/{job['id']}" for job in jobs)]
    for sample in samples:
        at = f"/samples/{sample['id']}"
        paths += [
            at,
            f"{at}/provenance",
            f"{at}/files",
            f"{at}/pgx",
            f"{at}/versions",
            f"{at}?filter=%3Cimg%20src%3Dx%3E",
        ]
    for path in paths:
        visitor.goto(path)
        page.wait_for_timeout(100)
        assert page.locator("img[src=x], iframe, b:has-text('chr'), svg[onload], script:not([src])").count() == 0, path

    variants = next(sample for sample in samples if sample["id"] == jobs[0]["sample_id"])
    visitor.goto(f"/samples/{variants['id']}")
    cells = page.locator("#table[data-ready=true] .ag-row .ag-cell")
    expect(cells.filter(has_text="chr<b>").first).to_be_visible()
    page.locator("#table .row-button").first.click()
    expect(page.get_by_text(INFO.partition("<")[2].partition(">")[0]).first).to_be_visible()
    assert page.locator("img[src=x], iframe").count() == 0
    rows = server.client.get(f"samples/{variants['id']}/rows").json()["rows"]
    assert TEMPLATES in str(rows), "every character is kept"
