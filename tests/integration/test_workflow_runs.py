"""Jobs as runs of GA4GH's Workflow Execution Service 1.1, held to the facts of its schemas."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from api_support import VCF

from varloom.jobs.lifecycle import State
from varloom.services.run_states import RunState, run_state

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ga4gh.md"
WES = "/ga4gh/wes/v1"

STATES = ["UNKNOWN", "QUEUED", "INITIALIZING", "RUNNING", "PAUSED", "COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR"]
STATES += ["CANCELED", "CANCELING", "PREEMPTED"]
TEXT, TIME = {"type": "string"}, {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
TEXTS, TAGS = {"type": "array", "items": TEXT}, {"type": "object", "additionalProperties": TEXT}


def shape(required: str, **properties: object) -> dict[str, object]:
    """An object that has nothing but these properties."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


VERSIONS = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": TEXTS}}
STATUS = {"run_id": TEXT, "state": {"enum": STATES}}
LOG = {"name": TEXT, "cmd": TEXTS, "start_time": TIME, "end_time": TIME, "stdout": TEXT, "stderr": TEXT}
LOG |= {"exit_code": {"type": "integer"}, "system_logs": TEXTS}
RUN_STATUS = shape("run_id", **STATUS)
RUN_SUMMARY = shape("run_id tags", **STATUS, start_time=TIME, end_time=TIME, tags=TAGS)
TASK = shape("id name", id=TEXT, tes_uri=TEXT, **LOG)
REQUEST = shape(
    "workflow_type workflow_type_version workflow_url",
    workflow_params={"type": "object"},
    workflow_type=TEXT,
    workflow_type_version=TEXT,
    tags=TAGS,
    workflow_engine_parameters=TAGS,
    workflow_engine=TEXT,
    workflow_engine_version=TEXT,
    workflow_url=TEXT,
)
RUN_LOG = shape(
    "run_id state",
    **STATUS,
    request=REQUEST,
    run_log=shape("", **LOG),
    task_logs_url=TEXT,
    task_logs={"type": ["array", "null"]},
    outputs={"type": "object"},
)
RUNS = shape("runs", runs={"type": "array", "items": RUN_SUMMARY}, next_page_token=TEXT)
TASKS = shape("task_logs", task_logs={"type": "array", "items": TASK}, next_page_token=TEXT)
ERROR = shape("msg status_code", msg=TEXT, status_code={"type": "integer"})
SERVICE = shape(
    "id name type organization version workflow_type_versions supported_wes_versions supported_filesystem_protocols "
    "workflow_engine_versions default_workflow_engine_parameters system_state_counts auth_instructions_url tags",
    id=TEXT,
    name=TEXT,
    type=shape("group artifact version", group={"const": "org.ga4gh"}, artifact={"const": "wes"}, version=TEXT),
    description=TEXT,
    organization=shape("name url", name=TEXT, url=TEXT),
    version=TEXT,
    workflow_type_versions=VERSIONS,
    supported_wes_versions=TEXTS,
    supported_filesystem_protocols=TEXTS,
    workflow_engine_versions=VERSIONS,
    default_workflow_engine_parameters={"type": "array"},
    system_state_counts={
        "type": "object",
        "propertyNames": {"enum": STATES},
        "additionalProperties": {"type": "integer"},
    },
    auth_instructions_url=TEXT,
    tags=TAGS,
)


async def asked(client, path, schema, status=200, method="GET", **parameters):
    """The answer at a path, which has the shape that the service's description asks for."""
    answer = await client.request(method, f"{WES}{path}", params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    jsonschema.validate(document, schema)
    if schema is ERROR:
        assert document["status_code"] == status
    return document


def rows_of_the_page():
    """The table of states: the job's, whether it is a special case, and the run's."""
    text = PAGE.read_text(encoding="utf-8").partition("## Routes")[0]
    for line in re.findall(r"^\| `.*\|$", text, re.MULTILINE):
        jobs, when, run = (cell.strip() for cell in line.strip("|").split("|"))
        yield re.findall(r"`(\w+)`", jobs), when, run.strip("`")


def test_the_page_tells_the_states_as_the_code_has_them():
    told = {}
    for jobs, when, run in rows_of_the_page():
        for job in jobs:
            told[State(job), when.startswith("was asked to stop"), "may succeed" in when] = RunState(run)
    for state in State:
        for is_stopping in (False, True):
            for may_succeed in (False, True):
                key = (
                    state,
                    is_stopping and state not in {"completed", "failed", "cancelled"},
                    state == "failed" and may_succeed,
                )
                assert run_state(state, is_stopping=is_stopping, may_succeed=may_succeed) == told[key], key
    assert set(told.values()) == set(RunState)


async def test_jobs_are_runs_from_their_queueing_to_their_end(api, worker):
    person, other = await api.person(), await api.person()
    ids = [(await person.upload(name=f"{number}.vcf", sample_name=f"s{number}"))["id"] for number in range(3)]
    counts = (await asked(person.client, "/service-info", SERVICE))["system_state_counts"]
    assert counts["QUEUED"] == 3
    claim = await worker.claim()
    run = await asked(person.client, f"/runs/{ids[0]}", RUN_LOG)
    assert (run["state"], run["outputs"]) == ("RUNNING", {})
    assert run["request"]["workflow_params"]["source"]["name"] == "0.vcf"
    (task,) = (await asked(person.client, f"/runs/{ids[0]}/tasks", TASKS))["task_logs"]
    assert task["name"] == "parse"
    assert "end_time" not in task
    sample_id = await worker.complete(claim)
    run = await asked(person.client, f"/runs/{ids[0]}", RUN_LOG)
    assert (run["state"], run["run_log"]["exit_code"]) == ("COMPLETE", 0)
    assert run["outputs"]["sample_id"] == sample_id
    assert run["outputs"]["records"] == VCF.count(b"chr1\t")
    table = await person.client.get(run["outputs"]["table"])
    assert table.content.startswith(b"PAR1")
    assert (await person.client.get(run["run_log"]["stderr"])).status_code == 200
    await worker.fail(await worker.claim())
    run = await asked(person.client, f"/runs/{ids[1]}", RUN_LOG)
    assert (run["state"], run["run_log"]["exit_code"]) == ("EXECUTOR_ERROR", 1)
    assert "line 3: The #CHROM line is missing." in run["run_log"]["system_logs"]
    (task,) = (await asked(person.client, f"/runs/{ids[1]}/tasks", TASKS))["task_logs"]
    assert any("vcf_header" in line for line in task["system_logs"])
    assert await asked(person.client, f"/runs/{ids[1]}/tasks/{task['id']}", TASK) == task
    await person.client.post(f"/api/v1/jobs/{ids[2]}/cancel")
    assert (await asked(person.client, f"/runs/{ids[2]}/status", RUN_STATUS))["state"] == "CANCELED"
    counts = (await asked(person.client, "/service-info", SERVICE))["system_state_counts"]
    assert {state: count for state, count in counts.items() if count} == {
        "COMPLETE": 1,
        "EXECUTOR_ERROR": 1,
        "CANCELED": 1,
    }
    assert (await asked(other.client, "/runs", RUNS)) == {"runs": [], "next_page_token": ""}
    for path in (f"/runs/{ids[0]}", f"/runs/{ids[0]}/status", f"/runs/{ids[0]}/tasks"):
        await asked(other.client, path, ERROR, 404)


async def test_runs_come_page_by_page(api):
    person = await api.person()
    ids = [(await person.upload(name=f"{number}.vcf"))["id"] for number in range(5)]
    found, token = [], ""
    for size in (2, 2, 1):
        page = await asked(person.client, "/runs", RUNS, page_size=2, page_token=token)
        assert len(page["runs"]) == size
        found += [run["run_id"] for run in page["runs"]]
        token = page["next_page_token"]
    assert token == ""
    assert found == ids[::-1]
    assert len((await asked(person.client, "/runs", RUNS, page_size=10**9))["runs"]) == 5


@pytest.mark.parametrize(
    ("method", "path", "parameters", "status"),
    [
        ("GET", "/runs", {"page_size": 0}, 400),
        ("GET", "/runs", {"page_size": "many"}, 400),
        ("GET", "/runs", {"page_token": "made-up"}, 400),
        ("GET", "/runs/nothing", {}, 404),
        ("GET", "/runs/00000000-0000-4000-8000-000000000000/status", {}, 404),
        ("GET", "/elsewhere", {}, 404),
        ("POST", "/runs", {}, 403),
        ("POST", "/runs/00000000-0000-4000-8000-000000000000/cancel", {}, 404),
        ("DELETE", "/runs", {}, 405),
    ],
)
async def test_refusals_have_the_shape_of_the_service(api, method, path, parameters, status):
    person = await api.person()
    await asked(person.client, path, ERROR, status, method, **parameters)


async def test_nothing_is_started_or_stopped_and_nobody_else_looks(api):
    person = await api.person()
    job = await person.upload()
    told = await asked(person.client, f"/runs/{job['id']}/cancel", ERROR, 403, "POST")
    assert f"/api/v1/jobs/{job['id']}/cancel" in told["msg"]
    assert (await asked(person.client, f"/runs/{job['id']}/status", RUN_STATUS))["state"] == "QUEUED"
    for path in ("/service-info", "/runs", f"/runs/{job['id']}"):
        stranger = await api.client(headers={"Accept": "text/html"})
        await asked(stranger, path, ERROR, 401)
