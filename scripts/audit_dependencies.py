"""Look up whether anything that Varloom is built with has a known vulnerability. Run by `make audit`.

Python's requirements are asked of OSV by pip-audit, from the hashed requirement files; npm's packages by `npm audit`,
from the lock. The status is 0 where nothing is known, or nothing but what requirements/accepted-advisories.toml
accepts; 1 where something is, or an acceptance has expired; and 0 with a plain word, or 2 with --strict, where a
service could not be asked: an audit that did not take place is never told as one that found nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodejs import node_and_npm

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ("bootstrap", "run", "reads", "dev")
ACCEPTED = ROOT / "requirements" / "accepted-advisories.toml"
OSV = "https://api.osv.dev/v1/query"
PATIENCE = 600
"""Seconds for all the questions of one service."""
_UNREACHABLE = re.compile(r"requests\.exceptions\.\w+|\w*(?:ConnectionError|ServiceError|Timeout)\b")


class NotLookedAtError(Exception):
    """A service could not be asked: the audit did not take place."""


class AuditFailedError(Exception):
    """A tool failed by itself, or an acceptance cannot be read."""


@dataclass(frozen=True, slots=True, order=True)
class Advisory:
    """A known vulnerability of a package that is used: its name and version, its ids, and what is known of it."""

    package: str
    version: str
    ids: tuple[str, ...]
    what: str
    mended: str

    def told(self) -> str:
        """One line, for people."""
        return f"{self.package} {self.version}: {', '.join(self.ids)}. {self.what} Mended in: {self.mended}."


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An advisory that does not concern Varloom, or not yet: its id, why, and until when that is believed."""

    id: str
    reason: str
    until: dt.date


def python_advisories(osv_url: str, requirements: list[Path]) -> list[Advisory]:
    """What is known of the pinned requirements.

    Raises:
        NotLookedAtError: OSV could not be asked, or not about all of them.
        AuditFailedError: pip-audit itself failed.
    """
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    command += ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--osv-url", osv_url]
    command += [part for path in requirements for part in ("--requirement", str(path))]
    status, out, err = _ran(command)
    last = _last_line(err)
    try:
        told = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if _UNREACHABLE.search(err):
            raise NotLookedAtError(f"OSV could not be asked: {last}") from None
        raise AuditFailedError(f"pip-audit failed with status {status}: {last}") from None
    skipped = [one["name"] for one in told if "skip_reason" in one]
    if skipped:
        raise NotLookedAtError(f"{len(skipped)} requirements were not looked up, such as {skipped[0]}")
    if not told:
        raise AuditFailedError("pip-audit looked at no requirement")
    found = {
        Advisory(
            one["name"],
            one["version"],
            (known["id"], *known.get("aliases", ())),
            f"{' '.join(known.get('description', '').split())[:160].rstrip('.')}.",
            ", ".join(known.get("fix_versions", ())) or "no release yet",
        )
        for one in told
        for known in one.get("vulns", ())
    }
    return sorted(found)


def npm_advisories(registry: str | None, folder: Path) -> list[Advisory]:
    """What is known of the packages of the lock in a folder.

    Raises:
        NotLookedAtError: the registry could not be asked.
        AuditFailedError: npm itself failed.
    """
    _, npm, environment = node_and_npm()
    command = [*npm, "audit", "--json", "--package-lock-only", "--fetch-retries", "0", "--fetch-timeout", "20000"]
    command += ["--registry", registry] if registry else []
    status, out, err = _ran(command, cwd=folder, env=environment)
    try:
        told: dict[str, Any] = json.loads(out)
    except ValueError:
        raise AuditFailedError(f"npm failed with status {status}: {_last_line(err)}") from None
    if "vulnerabilities" not in told:
        raise NotLookedAtError(f"npm's registry could not be asked: {told.get('message') or _last_line(err)}")
    found = set()
    for name, one in told["vulnerabilities"].items():
        for via in one["via"]:
            if isinstance(via, dict):  # a text names another entry, through which this one is touched
                advisory = str(via["url"]).rpartition("/")[2]
                found.add(Advisory(name, one["range"], (advisory,), f"{via['title']}.", _npm_mending(one)))
    return sorted(found)


def _npm_mending(one: dict[str, Any]) -> str:
    fix = one.get("fixAvailable")
    if isinstance(fix, dict):
        return f"{fix['name']} {fix['version']}"
    return "a release within the pinned range's bounds" if fix else "no release yet"


def _ran(command: list[str], **options: Any) -> tuple[int, str, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, **options)
    except subprocess.TimeoutExpired:
        raise NotLookedAtError(f"no answer within {PATIENCE} s") from None
    return done.returncode, done.stdout, done.stderr


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def acceptances(path: Path) -> list[Acceptance]:
    """What is accepted for now; each entry has `id`, `reason` and `until`, a date.

    Raises:
        AuditFailedError: an entry lacks one of them.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
        found = [Acceptance(str(one["id"]), str(one["reason"]).strip(), one["until"]) for one in told]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise AuditFailedError(f"{path.name}: {error}") from None
    for one in found:
        if not one.reason or type(one.until) is not dt.date:
            raise AuditFailedError(f"{path.name}: {one.id} needs a reason, and a date as `until`")
    return found


def judged(found: list[Advisory], accepted: list[Acceptance], today: dt.date) -> list[str]:
    """What must be done about something: advisories that nobody has accepted, and acceptances that have expired."""
    valid = {one.id for one in accepted if one.until >= today}
    faults = [one.told() for one in found if not valid.intersection(one.ids)]
    known = {name for one in found for name in one.ids}
    faults += [
        f"The acceptance of {one.id} ended on {one.until}: look at it again."
        for one in accepted
        if one.until < today and one.id in known
    ]
    return faults


def main() -> int:
    """Ask, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="status 2 where a service could not be asked")
    parser.add_argument("--osv-url", default=OSV, help="default: the public service")
    parser.add_argument("--registry", help="of npm; default: npm's own setting")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements", help="the folder of the files")
    parser.add_argument("--npm-folder", type=Path, default=ROOT, help="where package-lock.json is")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED)
    options = parser.parse_args()
    files = [path for name in REQUIREMENTS if (path := options.requirements / f"{name}.txt").exists()]
    questions = {
        "Python": lambda: python_advisories(options.osv_url, files),
        "npm": lambda: npm_advisories(options.registry, options.npm_folder),
    }
    found, missing = list[Advisory](), False
    try:
        accepted = acceptances(options.accepted)
        for name, ask in questions.items():
            try:
                known = ask()
            except NotLookedAtError as error:
                missing = True
                print(f"{name}: NOT LOOKED AT. {error}")
            else:
                found += known
                print(f"{name}: {len(known)} known vulnerabilities.")
    except AuditFailedError as error:
        print(f"The audit failed: {error}", file=sys.stderr)
        return 1
    faults = judged(found, accepted, dt.datetime.now(tz=dt.UTC).date())
    for fault in faults:
        print(f"  {fault}", file=sys.stderr)
    return 1 if faults else 2 * (missing and options.strict)


if __name__ == "__main__":
    sys.exit(main())
