"""What a use case refuses before any work is begun."""

from __future__ import annotations

from varloom.errors import define

REQUEST_INVALID = define(
    "request_invalid",
    "Invalid request",
    cause="A field, parameter or option of the request is missing, unknown, or has a value that is not allowed.",
    resolution=("Correct the named field; docs/reference/api.md lists the fields of each request.",),
    status=422,
)
OPTION_UNKNOWN = define(
    "option_unknown",
    "Unknown option",
    cause="A job was asked for with an option that Varloom does not know. It is refused, so that a misspelt option "
    "is not silently ignored.",
    resolution=("Remove or correct the option; docs/reference/api.md lists the options of a job.",),
    status=422,
)
SAMPLE_BEING_ANNOTATED = define(
    "sample_being_annotated",
    "The sample is being annotated already",
    cause="A job that waits or runs makes a new version of this sample's table. Only one at a time can.",
    resolution=("Wait for that job, or cancel it in the Job Manager; then try again.",),
    status=409,
)
UPLOAD_EMPTY = define(
    "upload_empty",
    "Empty file",
    cause="The upload has no bytes.",
    resolution=("Choose the file again, and check that it is not empty where it comes from.",),
    status=422,
)
UPLOAD_INTERRUPTED = define(
    "upload_interrupted",
    "The upload broke off",
    cause="The connection ended, or its content did, before the whole file had arrived. "
    "What came of a resumable upload is kept, of any other nothing.",
    resolution=("Go on with the upload, or begin it again.",),
    retryable=True,
)
UPLOAD_NOT_FOUND = define(
    "upload_not_found",
    "No such upload",
    cause="The account has no unfinished upload with this id on this server: it expired, was cancelled, or became a "
    "job a while ago.",
    resolution=("Begin the upload again.", "If it had finished, look for its job in the Job Manager."),
    status=404,
)
UPLOADS_UNAVAILABLE = define(
    "uploads_unavailable",
    "Uploads are not available",
    cause="The server is stopping. What has arrived of an upload is kept.",
    resolution=("Go on in a few seconds.",),
    retryable=True,
    status=503,
)
UPLOAD_OFFSET_WRONG = define(
    "upload_offset_wrong",
    "Not where the upload goes on",
    cause="The request goes on at another byte than the one behind what the server has.",
    resolution=("Ask for the upload's offset with HEAD, and go on from there.",),
    retryable=True,
    status=409,
)
UPLOAD_CHECKSUM_WRONG = define(
    "upload_checksum_wrong",
    "Bytes changed on the way",
    cause="The bytes of the request do not have the checksum that it names. None of them was kept.",
    resolution=("Send them again, from the same offset.",),
    retryable=True,
    status=460,
)
UPLOAD_FINISHED = define(
    "upload_finished",
    "The upload has become a job",
    cause="The file has arrived whole, and its job was created with the options of that moment.",
    resolution=("Look at the job. One that has failed or was cancelled can be retried with other options.",),
    status=409,
)
IDEMPOTENCY_CONFLICT = define(
    "idempotency_conflict",
    "The Idempotency-Key was used before",
    cause="An earlier request of this account used the same Idempotency-Key with another file, name or options.",
    resolution=("Use a new key for a new job; send the same file and options to get the first job again.",),
    status=409,
)
MANIFEST_UNREADABLE = define(
    "manifest_unreadable",
    "The manifest cannot be read",
    cause="A manifest is a plain text of lines (CSV or TSV, UTF-8). What was sent is packed, is a spreadsheet or "
    "another binary file, or has no lines.",
    resolution=(
        "Export the table as CSV or as text with tabs, in UTF-8, and send that.",
        "Unpack a packed manifest first.",
    ),
    status=422,
)
MANIFEST_HEADER_INVALID = define(
    "manifest_header_invalid",
    "The header of the manifest is wrong",
    cause="The first line of a manifest names its columns: `url`, which it must have, and any of `name`, `assembly`, "
    "`split_by_sample`, `credential` and `priority`, in any order, with tabs, semicolons or commas between them. "
    "Other columns are refused, so that a misspelt option is not silently ignored.",
    resolution=(
        "Correct or remove the columns that are named; put `url` above the column of the URLs.",
        "A table that is no manifest is uploaded as a file.",
    ),
    status=422,
)
MANIFEST_TOO_LARGE = define(
    "manifest_too_large",
    "The manifest is too large",
    cause="A manifest has at most 10,000 lines and 32 MiB.",
    resolution=("Divide it, give each part the header line, and send them one after the other.",),
    status=413,
)
MANIFEST_LINES_INVALID = define(
    "manifest_lines_invalid",
    "The manifest has faults",
    cause="Some lines of the manifest cannot become jobs; each is told with its line, column and resolution under "
    "`problems`. No line became a job.",
    resolution=(
        "Correct the lines that are named, and send the manifest again.",
        "Or leave them out: `--skip-faulty` on the command line, `skip_faulty=true` in the API, a box in the dialog.",
    ),
    status=422,
)
MANIFEST_LINE_MALFORMED = define(
    "manifest_line_malformed",
    "The line does not match the header",
    cause="The line has another number of cells than the header, or a quotation mark that is not closed. A cell holds "
    "no line break.",
    resolution=(
        "Give the line as many cells as the header has; leave those empty of which nothing is to be said.",
        'Put a cell that holds the delimiter, such as a URL with a comma, into quotation marks: `"..."`.',
    ),
    status=422,
)
MANIFEST_VALUE_INVALID = define(
    "manifest_value_invalid",
    "The cell has a value that cannot be used",
    cause="A cell of the manifest is empty where a value is needed, or holds one that its column does not take.",
    resolution=(
        "Give `assembly` GRCh38 or GRCh37, `split_by_sample` yes or no, `priority` a whole number from -1000 to 1000.",
        "Give `credential` the name of a stored credential, and none to a URL that is signed.",
        "Leave a cell empty for the default; `url` alone must have a value.",
    ),
    status=422,
)
MANIFEST_SOURCE_LOCAL = define(
    "manifest_source_local",
    "The line names a file by its path",
    cause="A server reads no files by their path, be it one of its own machine or of the user's.",
    resolution=(
        "Give a URL that begins with https://, s3://, gs:// or az://.",
        "Send files of your own machine by `varloom submit --manifest FILE`, or choose them as files in the browser.",
    ),
    status=422,
)
MANIFEST_LINE_REPEATED = define(
    "manifest_line_repeated",
    "The line is there twice",
    cause="Two lines of the manifest have the same URL and the same name.",
    resolution=("Remove one of them; or give each a name of its own, if the file is wanted twice.",),
    status=422,
)
SAMPLE_NAME_INVALID = define(
    "sample_name_invalid",
    "Invalid sample name",
    cause="A sample name must have between 1 and 200 characters and no control characters.",
    resolution=("Choose another sample name.",),
    status=422,
)
TAG_INVALID = define(
    "tag_invalid",
    "Invalid tag",
    cause="A tag must have between 1 and 40 characters, no comma and no control characters; a sample has at most 20.",
    resolution=("Choose other tags, or fewer.",),
    status=422,
)
VIEW_INVALID = define(
    "view_invalid",
    "Invalid view",
    cause="The name of a view must have between 1 and 80 characters and no control characters, and its query at most "
    "60,000; an account has at most 200 views.",
    resolution=("Choose another name, or delete views that are not needed any more.",),
    status=422,
)
VIEW_NAME_TAKEN = define(
    "view_name_taken",
    "There is a view of this name",
    cause="Another view of the account has the same name, the case of letters aside.",
    resolution=("Choose another name, or replace the view that has it.",),
    status=409,
)
VIEW_NOT_FOUND = define(
    "view_not_found",
    "No such view",
    cause="The account has no view with this id, or it was deleted.",
    resolution=("Look at the list of the account's views.",),
    status=404,
)
EVENTS_UNAVAILABLE = define(
    "events_unavailable",
    "Live events are not available",
    cause="The server is stopping and takes no new event streams.",
    resolution=("Connect again in a few seconds.",),
    retryable=True,
    status=503,
)
DATA_FOLDER_IN_USE = define(
    "data_folder_in_use",
    "A server runs on this data folder already",
    cause="Two servers cannot share a data folder.",
    resolution=("Use the server that runs, or stop it first.", "Or choose another data folder with --data."),
    status=409,
)
DATA_FOLDER_UNUSABLE = define(
    "data_folder_unusable",
    "The data folder cannot be used",
    cause="The data folder cannot be created, or this user may not write to it.",
    resolution=("Check the folder's path, owner and mode.", "Or choose another data folder with --data."),
    status=503,
)
TABLE_NOT_FOUND = define(
    "table_not_found",
    "No such table",
    cause="The sample has no dataset with this id.",
    resolution=("Leave `dataset` out for the first table; the sample's description lists all of them.",),
    status=404,
)
VIEW_UNAVAILABLE = define(
    "view_unavailable",
    "No such view of this table",
    cause="The split view has a row for each gene that a structural variant overlaps. The table does not tell genes.",
    resolution=("Ask for the full view.", "Or load the file again, annotated as structural variants."),
)
OWNER_ONLY = define(
    "owner_only",
    "Only for owners",
    cause="What was asked for concerns all accounts, and the account that asked has not the role of an owner.",
    resolution=("Ask whoever runs this server; `varloom queue` with the token of its data folder is an owner's.",),
    status=403,
)
DEMO_FILE_NOT_FOUND = define(
    "demo_file_not_found",
    "No such demonstration file",
    cause="The demonstration has a file of small variants and one of structural ones; it has no file of this name.",
    resolution=("Take a name that `GET /api/v1/refs` lists under `demo.files`.",),
    status=404,
)
ACCOUNT_NOT_FOUND = define(
    "account_not_found",
    "No such account",
    cause="There is no account with this name.",
    resolution=("Check the name; the menu at the top right of each page shows the name of one's own account.",),
    status=404,
)
SAMPLE_FILE_GONE = define(
    "sample_file_gone",
    "The file is not in the storage any more",
    cause="A file that was made for a sample was removed from the storage by something else than Varloom.",
    resolution=(
        "Bring it back from a backup, under the name that it had.",
        "Else send the reads again: the new sample has files of its own. The table does not need them.",
    ),
    status=410,
)
RANGE_INVALID = define(
    "range_invalid",
    "The file has no such part",
    cause="A Range header asks for bytes behind the end of the file.",
    resolution=("Ask for a part that begins before the end of the file, or for the whole of it.",),
    status=416,
)
READS_PLACE_TOO_LARGE = define(
    "reads_place_too_large",
    "Too many reads at once",
    cause="Reads of a place are cut out of a CRAM while somebody waits, so their number, the bytes that are read for "
    "them and the time are bounded.",
    resolution=("Look at a shorter place: zoom in.", "Or download the CRAM and its index, and read it where you are."),
    status=413,
)
READS_UNREADABLE = define(
    "reads_unreadable",
    "The reads cannot be read",
    cause="The CRAM, its index or the genome in the storage is not what was written there.",
    resolution=(
        "See by `varloom refs verify` whether the genome is whole.",
        "Else bring the CRAM and its index back from a backup, or send the reads again.",
    ),
    status=500,
)
READS_NEED_GENOME = define(
    "reads_need_genome",
    "The genome of these reads is not installed",
    cause="The alignment is kept as CRAM, which tells how reads differ from the genome that they were aligned to. That "
    "release was removed by force.",
    resolution=(
        "Add the same FASTA again, under the same name and release, by `varloom refs add`.",
        "Which FASTA that is tell the MD5s of its contigs, in the header of the CRAM.",
    ),
    status=409,
)
