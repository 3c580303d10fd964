"""A supervised child process: typed frames over pipes, streams, cancel, heartbeat, restart."""

from assistant.worker.child import Call, Inbox, answer, serial, serve
from assistant.worker.supervisor import Child

__all__ = ["Call", "Child", "Inbox", "answer", "serial", "serve"]
