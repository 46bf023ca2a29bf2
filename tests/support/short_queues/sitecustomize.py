"""Python imports this at its start when the folder is on PYTHONPATH: a server then cuts off panels that lag a bit.

What a panel does not read waits in the server's system, in the server's own buffer and in its queue: all are made
short, so that the panel is cut off for what it does, not for how much the machine happens to keep.
"""

import socket
import sys

SHORT = 4096

if "serve" in sys.orig_argv:
    from uvicorn.protocols.http import flow_control, h11_impl, httptools_impl

    from varloom.services import event_feed

    class ShortFlowControl(flow_control.FlowControl):
        def __init__(self, transport) -> None:
            super().__init__(transport)
            transport.set_write_buffer_limits(high=SHORT)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SHORT)

    h11_impl.FlowControl = httptools_impl.FlowControl = ShortFlowControl
    event_feed.QUEUE_LIMIT = 4
