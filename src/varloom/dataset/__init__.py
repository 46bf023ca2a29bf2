"""Datasets: published, immutable tables. Writing them, reading them, asking them."""

from varloom.dataset.loading import load_file
from varloom.dataset.manifest import Dataset, Manifest, Part, Source, Split
from varloom.dataset.writer import split_directories, write_dataset, written_directories

__all__ = [
    "Dataset",
    "Manifest",
    "Part",
    "Source",
    "Split",
    "load_file",
    "split_directories",
    "write_dataset",
    "written_directories",
]
