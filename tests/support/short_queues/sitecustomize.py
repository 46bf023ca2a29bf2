"""Python imports this at its start when the folder is on PYTHONPATH: a server then cuts off panels that lag a bit."""

import sys

if "serve" in sys.orig_argv:
    from varloom.services import event_feed

    event_feed.QUEUE_LIMIT = 4
