"""What a service manager, such as systemd, is told: that the program is ready, and that it stops."""

from __future__ import annotations

import contextlib
import logging
import os
import socket

logger = logging.getLogger(__name__)

VARIABLE = "NOTIFY_SOCKET"
"""By it a manager says where it listens."""


class ServiceManager:
    """Tells the service manager that started this program; nobody where none did.

    It takes the variable out of the environment: what is started from here has nothing to tell.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop(VARIABLE, "")

    def ready(self) -> None:
        """The program does its work from now on."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The program has been asked to stop, or has to."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is one of Linux's abstract sockets, written so that it can be read.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as teller:
                teller.connect(address)
                teller.sendall(state.encode())
        except OSError as error:
            logger.warning("The service manager could not be told %s: %s", state, error)
