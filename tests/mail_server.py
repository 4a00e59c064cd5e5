"""A small mail server that receives what is sent to it: as much of SMTP as a sender needs."""

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What came. `password` is asked for where it is set; `refused` are answers by the command that they are given to.

    While `hangs_up` is set, whoever connects is cut off.
    """

    port: int = 0
    password: str | None = None
    refused: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    users: list[str] = field(default_factory=list)
    mails: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)


class _Handler(socketserver.StreamRequestHandler):
    place: MailServer
    _sender = ""
    _recipients: list[str]

    def handle(self) -> None:
        if self.place.hangs_up:
            return
        self._say("220 ready")
        while line := self.rfile.readline():
            said = line.decode().strip()
            command = re.split("[ :]", said.upper())[0]
            if command in self.place.refused:
                self._say(self.place.refused[command])
            elif command == "QUIT":
                self._say("221 bye")
                return
            else:
                self._obey(command, said)

    def _obey(self, command: str, said: str) -> None:
        address = said.partition("<")[2].partition(">")[0]
        match command:
            case "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN" if self.place.password else "250 here")
            case "AUTH":
                self._sign_in(said.split(" ")[2])
            case "DATA":
                self._say("354 go on")
                self.place.mails.append((self._sender, self._recipients, self._mail()))
                self._say("250 taken")
            case _:
                if command == "MAIL":
                    self._sender, self._recipients = address, []
                elif command == "RCPT":
                    self._recipients.append(address)
                self._say("250 ok")

    def _sign_in(self, said: str) -> None:
        _, user, password = base64.b64decode(said).decode().split("\0")
        self.place.users.append(user)
        self._say("235 welcome" if password == self.place.password else "535 no")

    def _mail(self) -> EmailMessage:
        lines = list(iter(self.rfile.readline, b".\r\n"))
        content = b"".join(line.removeprefix(b".") for line in lines)
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server on a free port of this machine, for the length of a `with` block."""
    place = MailServer()
    handler = type("Handler", (_Handler,), {"place": place})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        place.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
