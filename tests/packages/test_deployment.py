"""What deploys Varloom is sound: image, compose file, units of systemd and manifests of Kubernetes.

No engine runs here. Each file is held to the schema or the linter of its format; whatever it says to Varloom, commands
and settings, is held to Varloom itself.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose
from cryptography.fernet import Fernet
from pydantic import ValidationError

from absent import absent
from varloom.cli import main
from varloom.settings import STAGES, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER, SYSTEMD, KUBERNETES = (ROOT / "deploy" / name for name in ("docker", "systemd", "kubernetes"))
COMPOSE = DOCKER / "compose.yaml"
UNITS = sorted(SYSTEMD.glob("*.service"))
FILLED_IN = {
    "POSTGRES_PASSWORD": "word",
    "STORE_ACCESS_KEY": "key",
    "STORE_SECRET_KEY": "secret",
    "VARLOOM_SECRET_KEYS": Fernet.generate_key().decode(),
    "VARLOOM_HOSTS": "varloom.example.org",
    "VARLOOM_PROXY_PEERS": "172.18.0.1",
}


def of_servers_and_workers() -> dict[str, tuple[list[str], dict[str, str]]]:
    """Each command that a file starts, with the environment that it gets there."""
    found = {}
    image = image_environment()
    for name, service in compose()["services"].items():
        if service["image"].startswith("varloom"):
            found[f"compose: {name}"] = (service["command"], image | service["environment"])
    for unit in UNITS:
        command, environment = of_unit(unit)
        found[unit.name] = (command, environment)
    config, secret = manifest("config.yaml")[0]["data"], manifest("secret.example.yaml")[0]["stringData"]
    for deployment in deployments():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        own = {one["name"]: one["value"] for one in container["env"]}
        command = container["args"]
        environment = image | config | filled(secret) | own
        found[f"kubernetes: {deployment['metadata']['name']}"] = (command, environment)
    return found


def filled(secret: dict[str, str]) -> dict[str, str]:
    return secret | {"VARLOOM_SECRET_KEYS": FILLED_IN["VARLOOM_SECRET_KEYS"]}


def image_environment() -> dict[str, str]:
    """What the image sets."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ").rpartition("FROM ")[2]
    (said,) = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    return dict(word.split("=", 1) for word in shlex.split(said))


def compose() -> dict:
    """The compose file, its variables filled in and its merges made."""
    text = COMPOSE.read_text()
    for name, value in FILLED_IN.items():
        text = re.sub(rf"\$\{{{name}(:[^}}]*)?\}}", value, text)
    assert "${" not in text, "env.example does not name a variable"
    return yaml.safe_load(text)


def of_unit(unit: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment of a unit, that of its example file included."""
    stated = [line.partition("=") for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    environment = {}
    for key, _, value in stated:
        if key == "Environment":
            environment |= dict(word.split("=", 1) for word in shlex.split(value))
    for line in (SYSTEMD / "varloom.env.example").read_text().splitlines():
        if found := re.fullmatch(r"#([A-Z_]+)=(.+)", line):
            environment[found[1]] = found[2]
    (started,) = (value for key, _, value in stated if key == "ExecStart")
    started = started.replace("%i", "parse").replace("${SLOTS}", environment.get("SLOTS", ""))
    return shlex.split(started)[1:], environment


def manifest(name: str, folder: str = "base") -> list[dict]:
    return list(yaml.safe_load_all((KUBERNETES / folder / name).read_text()))


def deployments() -> list[dict]:
    documents = [*manifest("server.yaml"), *manifest("workers.yaml"), *manifest("worker.yaml", "parabricks")]
    return [one for one in documents if one["kind"] == "Deployment"]


STARTED = of_servers_and_workers()


@pytest.mark.parametrize("where", STARTED)
def test_every_command_can_be_given_and_every_setting_exists_and_is_valid(where, monkeypatch):
    words, environment = STARTED[where]
    command = main.commands[words[0]]
    given = command.make_context(words[0], list(words[1:]))
    assert isinstance(given, click.Context)
    asked = {name for name in environment if name.startswith("VARLOOM_")}
    unknown = {name for name in asked if name.removeprefix("VARLOOM_").lower() not in Settings.model_fields}
    assert unknown == set()
    for name in asked:
        monkeypatch.setenv(name, environment[name])
    try:
        settings = Settings(**({"slots": given.params["slots"]} if given.params["slots"] else {}))
    except ValidationError as error:
        pytest.fail(f"{where}: {error}")
    for key in settings.secret_keys:
        Fernet(key.encode())


def test_the_image_is_built_as_hadolint_wants_it_and_as_nobody_special():
    lint = Path(sys.executable).parent / "hadolint"
    if not lint.exists():
        absent("hadolint has no wheel for this system")
    done = subprocess.run([lint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    text = (DOCKER / "Dockerfile").read_text()
    last = text.rpartition("FROM ")[2]
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE), "a number: Kubernetes does not know names of users"
    assert all(":" in base for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE))


def test_the_image_is_built_of_what_it_needs_and_of_nothing_private():
    rules = [
        line for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
    ]

    def sent(path: str) -> bool:
        kept = True
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            parts = path.split("/")
            below = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
            names = [*below, *parts] if rule.startswith("**/") else below
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                kept = rule.startswith("!")
        return kept

    text = (DOCKER / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)", text, re.MULTILINE) for word in line.split()[:-1]]
    wanted = [word for word in copied if word != "."]
    said = (ROOT / "MANIFEST.in").read_text()
    wanted += [word for line in re.findall(r"^include (.*)", said, re.MULTILINE) for word in line.split()]
    wanted += ["setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "requirements/dev.txt"]
    wanted += ["scripts/check_wheel.py", "src/varloom/reader/native/buffers.pyx", "src/varloom/web/frontend/app.js"]
    for path in wanted:
        assert (ROOT / path).exists(), path
        assert sent(path), path
    private = (".git/config", "deploy/docker/.env", ".venv/bin/python", "node_modules/igv/package.json", "data/x")
    for path in (*private, "dist/x.whl", "src/varloom/__pycache__/errors.pyc", "src/varloom/web/static/dist/app.js"):
        assert not sent(path), path


def test_the_compose_file_is_one_and_waits_for_what_it_needs():
    services = compose()["services"]
    PyCompose.from_yaml(yaml.safe_dump(compose())).validate()
    with pytest.raises(ValueError, match="imagee"):
        PyCompose.from_yaml(yaml.safe_dump({"services": {"server": {"imagee": "varloom"}}}))
    named = set(re.findall(r"^([A-Z_]+)=", (DOCKER / "env.example").read_text(), re.MULTILINE))
    assert named == set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text())) | {"POSTGRES_PASSWORD"}
    assert all(":" in service["image"] for service in services.values())
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert needed == "server" or "healthcheck" in services[needed], (name, needed)
        if service["image"].startswith("varloom"):
            assert service["read_only"], name
            assert (
                seconds(service["stop_grace_period"])
                >= float(service["environment"].get("VARLOOM_SHUTDOWN_GRACE", 10)) + 25
            ), name


def seconds(text: str) -> float:
    """What `90s`, `120` or `15min` says."""
    number, unit = re.fullmatch(r"(\d+)(s|min|)", text).groups()
    return float(number) * (60 if unit == "min" else 1)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_units_are_sound_and_let_a_worker_end_its_work(unit, tmp_path):
    stated = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line and line[0] != "#")
    grace = float(of_unit(unit)[1]["VARLOOM_SHUTDOWN_GRACE"])
    assert seconds(stated["TimeoutStopSec"]) >= grace + 25
    assert stated["KillMode"] == "mixed", "the stages and the database are told by their own parents"
    assert stated["Type"] == "notify"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    copy = tmp_path / unit.name.replace("@", "@parse")
    program = Path(sys.executable).parent / "varloom"
    copy.write_text(unit.read_text().replace("/opt/varloom/bin/varloom", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    looked = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", copy]
    done = subprocess.run(looked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_manifests_are_those_of_kubernetes():
    for folder in ("base", "parabricks"):
        custom = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
        for name in custom["resources"]:
            assert (KUBERNETES / folder / name).exists(), name
    files = [path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"]
    checked = 0
    for path in files:
        for document in yaml.safe_load_all(path.read_text()):
            for version in ("1.30", "1.37"):
                kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked >= 18
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "spec": {"contaners": []}}, "1.37", strict=True
        )


def test_pods_may_do_little_have_the_time_to_stop_and_are_each_of_one_stage():
    stages = set()
    budgets = {one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] for one in manifest("disruption.yaml")}
    for deployment in deployments():
        name, pod = deployment["metadata"]["name"], deployment["spec"]["template"]["spec"]
        assert (
            deployment["spec"]["selector"]["matchLabels"].items()
            <= deployment["spec"]["template"]["metadata"]["labels"].items()
        )
        assert name in budgets or name == "varloom-worker-parabricks"
        assert pod["enableServiceLinks"] is False, "VARLOOM_PORT would be the address of a service"
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        secured = container["securityContext"]
        assert (secured["allowPrivilegeEscalation"], secured["readOnlyRootFilesystem"]) == (False, True)
        assert secured["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        if container["args"][0] == "worker":
            (slots,) = (word.partition("=")[0] for word in container["args"] if "=" in word)
            stages.add(slots)
            grace = {one["name"]: one["value"] for one in container["env"]}["VARLOOM_SHUTDOWN_GRACE"]
            assert pod["terminationGracePeriodSeconds"] >= float(grace) + 25, name
        else:
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert stages == set(STAGES)


def test_kustomize_puts_them_together():
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here")
    made = subprocess.run(
        ["kubectl", "kustomize", KUBERNETES / "parabricks"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    documents = list(yaml.safe_load_all(made.stdout))
    assert {one["kind"] for one in documents} >= {"Deployment", "Service", "ConfigMap", "NetworkPolicy"}
    for document in documents:
        kubernetes_validate.validate(document, "1.37", strict=True)
    assert "Secret" not in {one["kind"] for one in documents}, "an example must never replace the real one"
