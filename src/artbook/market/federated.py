"""Flower's server and clients in one process, without a network and without telemetry (chapter ``privacy``).

Import Flower from here or after it: its telemetry is switched off before it is loaded.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any
from uuid import uuid4

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

__all__ = [
    "ArrayRecord",
    "ClientApp",
    "ConfigRecord",
    "Context",
    "FedAvg",
    "InProcess",
    "Message",
    "MetricRecord",
    "RecordDict",
    "ServerApp",
    "run",
]

# Flower writes each round to its log; a chapter shows a table in its place.
logging.getLogger("flwr").setLevel(logging.ERROR)


class InProcess(Grid):
    """A grid whose nodes are calls of a function: what the server sends reaches ``app``, and its reply comes back.

    Args:
        app: of all nodes.
        nodes: how many, at least one. Node ``n`` has the number ``n + 1`` and, in its context's ``node_config``, the
            number ``n`` as ``partition-id``, as Flower's simulation has it.

    Attributes:
        sent: how many bytes of arrays went to the nodes, and came back.

    Raises:
        ValueError: there is no node.
    """

    def __init__(self, app: ClientApp, nodes: int) -> None:
        if nodes < 1:
            raise ValueError(f"at least one node was wanted; {nodes!r} was given")
        self._app = app
        self._replies: dict[str, Message] = {}
        self.sent = 0
        self._contexts = {
            n + 1: Context(1, n + 1, {"partition-id": n, "num-partitions": nodes}, RecordDict(), {})
            for n in range(nodes)
        }

    def set_run(self, run: Any) -> None:
        """There is one run, so nothing is to be set."""

    @property
    def run(self) -> Any:
        """There is no run that a server would know."""
        raise NotImplementedError("in one process no run is registered")

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Sequence[int]:
        """The numbers of the nodes, from 1."""
        return [*self._contexts]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Hand each message to its node, one after the other, and keep the replies."""
        numbers = []
        for message in messages:
            node = message.metadata.dst_node_id
            if node not in self._contexts:
                raise ValueError(f"a node from 1 to {len(self._contexts)} was wanted; {node} was given")
            # Real nodes get bytes: no array is shared with the server, so none can be changed under its hands.
            received = Message(_copied(message.content), node, message.metadata.message_type)
            reply = self._app(received, self._contexts[node])
            self.sent += _size(message.content) + _size(reply.content)
            numbers.append(uuid4().hex)
            self._replies[numbers[-1]] = reply
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The replies to messages, each once."""
        return [self._replies.pop(number) for number in message_ids if number in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Hand out messages and return the replies; no time passes between, so ``timeout`` is not used."""
        return self.pull_messages(self.push_messages(messages))


def run(server: ServerApp, grid: InProcess) -> None:
    """Run a server's main function on a grid."""
    _name_the_task()
    server(grid, Context(1, 0, {}, RecordDict(), {}))


def _name_the_task() -> None:
    """Say who sends messages: newer Flowers want it said once a process, those up to 1.27 do not know the question."""
    try:
        identity = import_module("flwr.supercore.task_identity").TaskIdentity
    except ModuleNotFoundError:
        return
    identity.task_id, identity.run_id, identity.node_id = 1, 1, 1


def _copied(content: RecordDict) -> RecordDict:
    return RecordDict({name: _copy(record) for name, record in content.items()})


def _copy(record: Any) -> Any:
    if isinstance(record, ArrayRecord):
        return ArrayRecord([array.copy() for array in record.to_numpy_ndarrays()])
    return type(record)(dict(record))


def _size(content: RecordDict) -> int:
    return sum(array.nbytes for record in content.array_records.values() for array in record.to_numpy_ndarrays())
