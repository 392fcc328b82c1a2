"""A server of MariaDB of the tests' own."""

import getpass
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from artbook.nn.workers import free_port


def program(name: str) -> str | None:
    """The path of a program; servers are where only root looks."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


@dataclass
class MariaDB:
    """A server of the tests' own, in a folder, on a free port of this machine."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    names: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.port = free_port()
        install = [
            program("mariadb-install-db"),
            *self.options(),
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        subprocess.run(install, check=True, capture_output=True)

    def options(self) -> list[str]:
        # The server refuses to run as root unless it is told to.
        return ["--no-defaults", f"--datadir={self.folder}", f"--user={getpass.getuser()}"]

    def start(self) -> None:
        # Below the folder of the data: a path of a socket may have some hundred characters.
        here = ["--bind-address=127.0.0.1", f"--port={self.port}", "--socket=server.sock", "--pid-file=server.pid"]
        small = ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=16M", "--skip-name-resolve"]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen([program("mariadbd"), *self.options(), *here, *small], stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            try:
                with self.root() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except OperationalError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.05)

    def kill(self) -> None:
        """Leave it no time to tidy up."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def root(self) -> closing[Connection]:
        return closing(create_engine(f"mysql+pymysql://root@127.0.0.1:{self.port}").connect())

    def new_url(self) -> str:
        """Of a database of its own, with a user and a password."""
        name = f"gallery_{next(self.names)}"
        with self.root() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            connection.execute(text(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'secret'"))
            connection.execute(text(f"GRANT ALL ON {name}.* TO {name}@'127.0.0.1'"))
        return f"mysql+pymysql://{name}:secret@127.0.0.1:{self.port}/{name}"
