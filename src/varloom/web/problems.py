"""What the web refuses before any use case is asked."""

from __future__ import annotations

from varloom.errors import define

PAGE_NOT_FOUND = define(
    "not_found",
    "Not found",
    cause="There is nothing at this address.",
    resolution=(
        "Check the address, or begin at the samples.",
        "For programs: docs/reference/api.md lists the routes of the API.",
    ),
    status=404,
)
METHOD_NOT_ALLOWED = define(
    "method_not_allowed",
    "Method not allowed",
    cause="The address exists, but not for this HTTP method.",
    resolution=("Use one of the methods that the response's `Allow` header names.",),
    status=405,
)
HOST_REFUSED = define(
    "host_refused",
    "Unknown host name",
    cause="The request's Host header names a host that this server does not go by. It is refused, so that no foreign "
    "web site can reach the server through a name of its own.",
    resolution=(
        "Open the address that `varloom serve` printed.",
        "Or start the server with the name that you use: `varloom serve --host NAME`.",
    ),
    status=421,
)
CROSS_SITE_REFUSED = define(
    "cross_site_refused",
    "Request from another site",
    cause="A page of another web site tried to change something with this browser's session.",
    resolution=(
        "Do it on Varloom's own pages.",
        "Scripts use an API token in the header `Authorization: Bearer TOKEN` instead of the session cookie.",
    ),
    status=403,
)
BODY_TOO_LARGE = define(
    "body_too_large",
    "The request is too large",
    cause="The body of a request other than an upload is larger than such a request ever needs.",
    resolution=("Send less at once. Files are uploaded to `POST /api/v1/jobs`.",),
    status=413,
)
TUS_VERSION_UNSUPPORTED = define(
    "tus_version_unsupported",
    "Unknown version of the upload protocol",
    cause="The header Tus-Resumable is missing or names another version than 1.0.0.",
    resolution=("Use a client of tus 1.0.0, and send the header `Tus-Resumable: 1.0.0`.",),
    status=412,
)
UPLOAD_MEDIA_TYPE_WRONG = define(
    "upload_media_type_wrong",
    "Not the content type of an upload",
    cause="Bytes of an upload have the content type `application/offset+octet-stream`.",
    resolution=("Send the header `Content-Type: application/offset+octet-stream`.",),
    status=415,
)
PORT_IN_USE = define(
    "port_in_use",
    "The port is in use",
    cause="Another program listens on the server's address already.",
    resolution=("Choose another port with --port; --port 0 takes any free one.", "Or stop the other program."),
    status=503,
)
ADDRESS_UNUSABLE = define(
    "address_unusable",
    "The address cannot be used",
    cause="The host is not an address of this machine, or this user may not use the port.",
    resolution=("Choose another address with --host, or another port with --port.",),
    status=503,
)
WES_READ_ONLY = define(
    "wes_read_only",
    "Runs can only be looked at here",
    cause="A client of GA4GH's Workflow Execution Service tried to start or to cancel a run. Varloom has no workflows "
    "to run; it shows its jobs there.",
    resolution=("Use Varloom's own API: docs/reference/ga4gh.md tells which routes.",),
    status=403,
)
RUN_NOT_FOUND = define(
    "run_not_found",
    "No such run",
    cause="A client of GA4GH's Workflow Execution Service asked for a run or a task that the account does not have.",
    resolution=("Ask for the list of runs: the ids are those of the account's jobs.",),
    status=404,
)
REQUESTS_LIMITED = define(
    "requests_limited",
    "Too many requests",
    cause="The account, or an address that is not logged in, asks for more than this server allows in a minute.",
    resolution=(
        "Wait as long as the header `Retry-After` says, then go on more slowly.",
        "Follow jobs by the event stream rather than by asking again and again.",
        "Whoever runs the server can raise the setting `requests_per_minute`.",
    ),
    status=429,
    retryable=True,
)
