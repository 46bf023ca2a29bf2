"""What can go wrong with datasets and with questions to them."""

from __future__ import annotations

from varloom.errors import define

DISK_FULL = define(
    "disk_full",
    "Disk full",
    cause="The disk or the quota that holds the data folder ran out of space while Varloom was writing to it.",
    resolution=(
        "Free space on the named disk, or ask whoever runs this server to enlarge it.",
        "Retry the job: it starts again where its last stage began.",
    ),
    retryable=True,
    status=507,
)
DATASET_INCONSISTENT = define(
    "dataset_inconsistent",
    "Dataset does not add up",
    cause="The rows that were written differ from what was read, so the dataset was not published.",
    resolution=(
        "Retry the job.",
        "If it fails again, send the problem report to whoever runs this server: this is a fault of Varloom.",
    ),
    retryable=True,
    status=500,
)
DATASET_EXISTS = define(
    "dataset_exists",
    "Folder in use",
    cause="The folder to write to already holds a dataset or other files, or another load is writing into it. Nothing "
    "is ever changed or overwritten.",
    resolution=("Choose another folder, or empty this one first if no load is at work in it.",),
    status=409,
)
DATASET_MISSING = define(
    "dataset_missing",
    "No dataset here",
    cause="The folder holds no manifest.json. A load that was interrupted leaves none.",
    resolution=("Check the folder's name.", "Load the file again if its load was interrupted."),
    status=404,
)
DATASET_DAMAGED = define(
    "dataset_damaged",
    "Dataset damaged",
    cause="The manifest cannot be read, or a Parquet part is missing or has another size than when it was written.",
    resolution=("Restore the dataset's folder from a backup, or load the original file again.",),
    status=500,
)
DATASET_TOO_NEW = define(
    "dataset_too_new",
    "Dataset written by a newer Varloom",
    cause="The dataset's format version is higher than this Varloom can read.",
    resolution=("Upgrade Varloom to the version that wrote the dataset, or to a later one.",),
    status=409,
)
FILTER_INVALID = define(
    "filter_invalid",
    "Filter not understood",
    cause="The filter is not a valid expression of the filter language, or does not fit the columns of the table.",
    resolution=(
        "Correct the filter at the named position; docs/reference/filters.md describes the language.",
        "Names with spaces, signs or leading digits go in double quotes, text values in single quotes.",
    ),
)
COLUMN_UNKNOWN = define(
    "column_unknown",
    "No such column",
    cause="The table has no column of this name. Names are case-sensitive.",
    resolution=("Use one of the names that the columns list of the sample shows.",),
)
COLUMN_NOT_NUMERIC = define(
    "column_not_numeric",
    "Column is not numeric",
    cause="A histogram needs a column of numbers.",
    resolution=("Choose a numeric column, or ask for the column's most frequent values instead.",),
)
SORT_INVALID = define(
    "sort_invalid",
    "Sort order not understood",
    cause="The sort order is not a comma-separated list of column names, each with an optional minus sign in front.",
    resolution=("Write for example `-qual,position`; put names with commas or a leading minus in double quotes.",),
)
CURSOR_INVALID = define(
    "cursor_invalid",
    "Page marker not valid",
    cause="The cursor was not made by Varloom, was altered, or belongs to another table, filter or sort order.",
    resolution=("Start again from the first page, without a cursor.",),
)
PAGE_INVALID = define(
    "page_invalid",
    "Page out of range",
    cause="The offset, the limit or the number of bins is not a number that Varloom can serve.",
    resolution=("Use an offset of 0 or more, and a limit within the range that the message names.",),
)
ENTRIES_TOO_MANY = define(
    "entries_too_many",
    "Too many entries",
    cause="A table with a row for each entry would have more rows than can be looked at in this way.",
    resolution=("Stay in the full view, and filter there by the genes of interest.",),
)
POSITION_INVALID = define(
    "position_invalid",
    "Position not understood",
    cause="The text is not a position of the genome, or the table has no positions.",
    resolution=("Write for example chr7:117,559,590, or a contig alone; commas between digits may be left out.",),
)
EXPORT_FORMAT_UNKNOWN = define(
    "export_format_unknown",
    "Export format unknown",
    cause="Tables can be exported as csv, tsv, jsonl or parquet.",
    resolution=("Choose csv, tsv, jsonl or parquet.",),
)
QUERY_INTERRUPTED = define(
    "query_interrupted",
    "Query interrupted",
    cause="The query was stopped because nobody waits for its answer any more, or because the server is stopping.",
    resolution=("Ask again.",),
    retryable=True,
    status=503,
)
QUERY_TOO_LARGE = define(
    "query_too_large",
    "Query needs too much memory",
    cause="The query needs more memory than the setting query_memory_bytes allows.",
    resolution=("Filter the table or choose fewer columns.", "Or raise the setting query_memory_bytes."),
    status=503,
)
SAMPLE_DELETED = define(
    "sample_deleted",
    "The sample was deleted",
    cause="A sample was deleted while a job made a new version of its table. Nothing was added to it.",
    resolution=(
        "Bring the sample back from the deleted samples, then retry the job: only its last stage runs again.",
        "Or dismiss the job.",
    ),
    status=409,
)
SAMPLE_NOT_FOUND = define(
    "sample_not_found",
    "No such sample",
    cause="There is no sample with this id in your account, or it was deleted.",
    resolution=("Look the sample up in the list of samples.",),
    status=404,
)
SAMPLE_FILE_NOT_FOUND = define(
    "sample_file_not_found",
    "No such file",
    cause="The sample has no file of this name. Only samples that were made of reads, or for which PGx was called, "
    "have files beside their tables.",
    resolution=("Look at the list of the sample's files.",),
    status=404,
)
