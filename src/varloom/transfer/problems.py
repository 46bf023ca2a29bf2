"""What can go wrong while a file is fetched from a URL. Each class says whether another try can help."""

from __future__ import annotations

from varloom.errors import define

SOURCE_URL_INVALID = define(
    "source_url_invalid",
    "Not a URL that can be loaded",
    cause="The text is not a URL, or one of a kind that Varloom cannot fetch from.",
    resolution=(
        "Give a URL that begins with https://, s3://, gs:// or az://, down to one single file.",
        "A file on your own machine is uploaded instead: `varloom submit FILE`, or the button Upload.",
    ),
)
DOWNLOAD_ADDRESS_REFUSED = define(
    "download_address_refused",
    "Download failed: the address is not public",
    cause="The URL, or a redirect from it, leads to an address inside a private network or to this machine itself. "
    "Such addresses are never contacted, so that nobody can look into the server's network.",
    resolution=(
        "Check the host in the URL for a mistake.",
        (
            "If the host is one of your own that users may load from, ask whoever runs this server to list it in the "
            "setting `allowed_endpoints`."
        ),
        "Or download the file yourself and upload it.",
    ),
)
DOWNLOAD_EXPIRED = define(
    "download_expired",
    "Download failed: the credentials have expired",
    cause="The source knows the credentials, token or signed URL that were used, but their time is over.",
    resolution=(
        "A signed URL (presigned or SAS): make a new one with enough time left, and submit that.",
        "Stored credentials: get new ones, store them under the same name, and retry the job.",
        "If they should still hold, check the clock of the machine that runs the worker.",
    ),
)
DOWNLOAD_SIGNATURE_WRONG = define(
    "download_signature_wrong",
    "Download failed: the key or signature is wrong",
    cause="The source does not know the access key, or the signature does not go with the secret, the URL or the time.",
    resolution=(
        "Copy the key and its secret once more, without blanks at the ends, and store them under the same name.",
        "A signed URL: copy it whole. It holds for one object and one method (GET) only, and changes to it break it.",
        "Check the region and the endpoint of the credentials, and the clock of the machine that runs the worker.",
    ),
)
DOWNLOAD_FORBIDDEN = define(
    "download_forbidden",
    "Download failed: no permission",
    cause="The source knows who asks, but does not let these credentials read the object.",
    resolution=(
        (
            "Ask the owner of the data to let them read it: `s3:GetObject` for S3, `Storage Object Viewer` for Google, "
            "`Storage Blob Data Reader` or a SAS with `r` for Azure."
        ),
        (
            "Or choose other credentials, and check the name of the bucket and of the object: some sources deny "
            "instead of saying that there is none."
        ),
        "Then retry the job.",
    ),
)
DOWNLOAD_NOT_PUBLIC = define(
    "download_not_public",
    "Download failed: the file is not public",
    cause="No credentials were used, and the source does not show the file to everyone.",
    resolution=(
        "Store credentials for it, and choose them for the job (Retry with changes, or `--credential NAME`).",
        "Or make a signed URL (presigned or SAS) and submit that; or let the owner make the object public.",
        "Check the name of the bucket and of the object too: some sources deny instead of saying that there is none.",
    ),
)
DOWNLOAD_NOT_FOUND = define(
    "download_not_found",
    "Download failed: there is no such file",
    cause="The source answers, but has no object or page at this URL.",
    resolution=(
        "Check the path in the URL, letter by letter: upper and lower case differ.",
        "Check that the file was not moved or deleted, and that the URL does not name a folder.",
        "In an Azure container that is not public, files seem missing without credentials: choose some.",
    ),
)
DOWNLOAD_NO_BUCKET = define(
    "download_no_bucket",
    "Download failed: there is no such bucket",
    cause="The object store answers, but knows no bucket or container of this name.",
    resolution=(
        "Check the name of the bucket or container, the account and the region.",
        "Check that the URL leads to the right object store: another provider's has other buckets.",
    ),
)
DOWNLOAD_ARCHIVED = define(
    "download_archived",
    "Download failed: the file is archived",
    cause="The object lies in an archive of its store (such as Glacier), from which it has to be restored first.",
    resolution=("Restore the object in its store, which takes from minutes to two days, then retry the job.",),
)
DOWNLOAD_TLS = define(
    "download_tls",
    "Download failed: the connection is not secure",
    cause="The certificate of the source is expired, made for another host or by nobody whom this machine trusts, or "
    "the source does not speak TLS.",
    resolution=(
        "Open the URL in a browser: if it warns too, the owner of the source has to renew the certificate.",
        (
            "If the certificate was made by your organisation's own authority, whoever runs this server adds that to "
            "the certificates of the system, or names its file in SSL_CERT_FILE in the environment of the worker."
        ),
    ),
)
DOWNLOAD_DNS = define(
    "download_dns",
    "Download failed: the host is not known",
    cause="The name of the host in the URL cannot be resolved: it is misspelt, or the name service does not answer.",
    resolution=(
        "Check the name of the host, the bucket or the storage account for a mistake.",
        "If it is right, check the name service (DNS) of the machine that runs the worker.",
    ),
    retryable=True,
)
DOWNLOAD_UNREACHABLE = define(
    "download_unreachable",
    "Download failed: the source cannot be reached",
    cause="The host refuses the connection, or there is no way to it.",
    resolution=(
        "Check that the source is up, and that host and port in the URL are right.",
        "Check that a firewall lets the machine of the worker out, or set `egress_proxy` where one is needed.",
        "Where `egress_proxy` is set, check its address, name and password, and that it lets this host through.",
    ),
    retryable=True,
)
DOWNLOAD_STALLED = define(
    "download_stalled",
    "Download failed: the source fell silent",
    cause="The connection stands, but nothing came for too long.",
    resolution=(
        "Nothing needs to be done while attempts are left: it goes on from where it stopped.",
        "If it goes on, the source or the way to it is overloaded: try later, or from another mirror.",
    ),
    retryable=True,
)
DOWNLOAD_INTERRUPTED = define(
    "download_interrupted",
    "Download failed: the connection broke off",
    cause="The source, or something on the way, closed the connection before all had arrived, again and again.",
    resolution=(
        "Nothing needs to be done while attempts are left: it goes on from where it stopped.",
        "If it goes on, check the network between the worker and the source.",
    ),
    retryable=True,
)
DOWNLOAD_RATE_LIMITED = define(
    "download_rate_limited",
    "Download failed: the source asks to wait",
    cause="The source answers that it was asked too often (429, or `SlowDown`).",
    resolution=(
        "Nothing needs to be done while attempts are left: the next one waits as long as the source asks.",
        "If it goes on, load fewer files of this source at once, or ask its owner for more.",
    ),
    retryable=True,
)
DOWNLOAD_SERVER_ERROR = define(
    "download_server_error",
    "Download failed: the source has an error",
    cause="The source answers with a fault of its own (a status from 500 on).",
    resolution=(
        "Nothing needs to be done while attempts are left.",
        "If it goes on, tell whoever runs the source; the message has the status that it answered.",
    ),
    retryable=True,
)
DOWNLOAD_REDIRECT_REFUSED = define(
    "download_redirect_refused",
    "Download failed: a redirect was refused",
    cause="The source sends us elsewhere in a way that is not followed: from https to http, in a circle, too often, or "
    "to something that is not a web address.",
    resolution=(
        "Open the URL in a browser, see where it leads in the end, and submit that URL.",
        "If it leads to a login page, store credentials for the source and choose them.",
    ),
)
DOWNLOAD_TOO_LARGE = define(
    "download_too_large",
    "Download failed: the file is too large",
    cause="The file at the URL is larger than this server accepts.",
    resolution=(
        "Compress the file with bgzip or gzip if it is not compressed yet, or split it, by contig for example.",
        "Or ask whoever runs this server to raise the setting `max_upload_bytes`.",
    ),
)
DOWNLOAD_EMPTY = define(
    "download_empty",
    "Download failed: the file is empty",
    cause="There is a file at the URL, and it has no bytes.",
    resolution=("Check the URL, and whether the file was written whole at its source.",),
)
DOWNLOAD_IS_PAGE = define(
    "download_is_page",
    "Download failed: a web page came instead of data",
    cause="The URL answers with an HTML page, such as a login, a preview or an error page, and not with the file.",
    resolution=(
        "Use the link of the file itself: 'direct download' or 'raw', not that of its preview or of a folder.",
        "If the page asks for a login, store credentials for the source (a bearer token, say) and choose them.",
        "Or download the file in a browser and upload it.",
    ),
)
DOWNLOAD_SOURCE_CHANGED = define(
    "download_source_changed",
    "Download failed: the file changed meanwhile",
    cause="The file at the URL was replaced while it was being fetched. What had come of the old one is thrown away.",
    resolution=(
        "Nothing needs to be done while attempts are left: the next one fetches the new file from its start.",
        "If it goes on, something keeps writing to the file: wait until that has ended.",
    ),
    retryable=True,
)
DOWNLOAD_RANGE_IGNORED = define(
    "download_range_ignored",
    "Download failed: the source gave no parts",
    cause="The source gave parts of the file at first, and then the whole file, or another part, where one was asked "
    "for. What has come is kept.",
    resolution=(
        "Nothing needs to be done while attempts are left: the next one takes the file in one piece if need be.",
        "If it goes on, tell whoever runs the source that it does not always heed the header `Range`.",
    ),
    retryable=True,
)
DOWNLOAD_DAMAGED = define(
    "download_damaged",
    "Download failed: the bytes are not those of the source",
    cause="The source tells a checksum of the file, and what arrived has another one. It is thrown away.",
    resolution=(
        "Nothing needs to be done while attempts are left: it is fetched anew.",
        "If it goes on, something on the way (a proxy) changes the bytes, or the source tells a wrong checksum.",
    ),
    retryable=True,
)
DOWNLOAD_UNEXPECTED_ANSWER = define(
    "download_unexpected_answer",
    "Download failed: the source answers oddly",
    cause="The source answers with a status that no download should meet, or not in the way that HTTP asks for.",
    resolution=(
        "Look up the status that the message names in the documentation of the source.",
        "Or download the file yourself and upload it.",
    ),
)
CREDENTIAL_INVALID = define(
    "credential_invalid",
    "Invalid credential",
    cause="A stored credential needs a name, a kind, the scope in which it may be used, and the secret values of its "
    "kind; one of them is missing or has a form that it cannot have. Nothing of the values is repeated.",
    resolution=("Correct the named field; docs/how-to/load-from-a-cloud.md lists the fields of each kind.",),
    status=422,
)
CREDENTIAL_NOT_FOUND = define(
    "credential_not_found",
    "No such credential",
    cause="The account has no stored credential of this name or id.",
    resolution=(
        "`varloom credentials list` and the page Credentials show those that there are.",
        "Store it under that name, or choose another for the job, then retry it.",
    ),
    status=404,
)
CREDENTIAL_NOT_FOR_URL = define(
    "credential_not_for_url",
    "The credential is not for this URL",
    cause="A stored credential is sent to the bucket, container or host alone for which it was stored. The URL leads "
    "elsewhere.",
    resolution=(
        "Check the URL, and the scope of the credential.",
        "If it is meant for this place too, store it once more with that scope, under another name.",
    ),
    status=422,
)
CREDENTIAL_NAME_TAKEN = define(
    "credential_name_taken",
    "There is a credential of this name",
    cause="Names of credentials are unique within the account, whatever the case of their letters.",
    resolution=("Choose another name, or ask to replace the one that is there.",),
    status=409,
)
SOURCE_SECRET_UNREADABLE = define(
    "source_secret_unreadable",
    "The stored secret cannot be read",
    cause="The secret part of the URL or the credentials were stored with a key that this worker does not have.",
    resolution=(
        (
            "Whoever runs this server: give the server and all workers the same key, by the file `secret.key` of the "
            "data folder or by the setting `secret_keys`."
        ),
        "If the key is lost, submit the URL again and store the credentials again.",
    ),
    status=500,
)
