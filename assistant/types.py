"""Values that cross borders. All frozen; none knows how it is stored, sent or computed."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
Kind = Literal["fact", "preference", "event", "task", "note", "chunk", "summary"]
Trust = Literal["user", "device", "tool", "file", "web", "model"]
AccessScope = Literal["chat", "memory.read", "memory.write", "tools", "approve", "admin"]
TurnStatus = Literal["running", "done", "failed", "cancelled"]
Learning = Literal["ask", "auto", "off"]
Priority = Literal["interactive", "ambient", "background"]
JobState = Literal["running", "paused", "done", "failed"]
SourceState = Literal["indexing", "ready", "paused", "unavailable", "removing"]
FileState = Literal["indexed", "partial", "failed", "unavailable"]
Family = Literal["chatml", "llama3", "gemma", "mistral", "phi"]

Origin = Literal[
    "auto", "nestor", "chatgpt", "claude", "openwebui", "anythingllm", "khoj", "mem0", "letta",
    "openclaw", "obsidian",
]  # fmt: skip
"""What a file to import was made by; `auto` finds out."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def join_trust(*labels: Trust) -> Trust:
    """The label of what was made from texts with these: the lowest; of nothing, `user`.

    From high to low: the user's words; what a device or a tool reports by itself (notifications
    too); files; the web; what a model wrote, which may repeat anything it read.
    """
    order = get_args(Trust)
    return max(labels, key=order.index, default="user")


_BRACKETS = {
    ord(mark): shape
    for shape, marks in (
        ("(", "[\u2045\u2772\u27e6\u3010\u3014\u301a\uff3b"),
        (")", "]\u2046\u2773\u27e7\u3011\u3015\u301b\uff3d"),
    )
    for mark in marks
}
"""Square ones and those that look like them; a note of ours stands between square brackets."""


_TAG = re.compile(r"<(?=[|/!]?\s*[\w|])")
"""Where a tag begins: some vocabularies read `<tool_call>` as a token of its own wherever it stands."""


def quoted(text: str) -> str:
    """Other people's text as it may stand inside one line of ours that brackets enclose.

    No line ends, no brackets, no tags, and nothing that is not seen (controls, zero-width and bidi
    marks): it can neither end the line, nor be taken for a mark of the model's, nor say to a model
    what it hides from the user.
    """
    spaced = " ".join(text.split())
    seen = "".join(c for c in spaced if c == " " or unicodedata.category(c)[0] != "C")
    return " ".join(_TAG.sub("\u2039", seen.translate(_BRACKETS)).split())


def new_id(prefix: str) -> str:
    """A fresh id such as `m_01jb…`: 48 bits of time, 80 of chance, so ids sort by age (ULID)."""
    return _id(prefix, (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80))


def stable_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, always; of 128 bits of their SHA-256."""
    joined = "\0".join(parts).encode()
    return _id(prefix, int.from_bytes(hashlib.sha256(joined).digest()[:16], "big"))


def _id(prefix: str, number: int) -> str:
    return prefix + "_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def now() -> str:
    """This moment as stored everywhere: UTC, ISO 8601, seconds, `Z`."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """A moment as stored everywhere; one without a zone counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Not strftime: its %Y writes the year 1 as "1" on Linux.
    return aware.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


# --- prompts and the engine ------------------------------------------------------------------


class Part(msgspec.Struct, frozen=True):
    """A piece of a message. `ref` names what it came from, so that a receipt can count its tokens."""

    text: str
    ref: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """What a model wants a tool to do."""

    id: str
    name: str
    arguments: str
    """A JSON object, as text."""


class Message(msgspec.Struct, frozen=True):
    """One message of a prompt, before any chat template."""

    role: Role
    parts: tuple[Part, ...]
    calls: tuple[ToolCall, ...] = ()
    """Of an assistant's message: the tools it called."""
    call_id: str = ""
    """Of a tool's message: the call it answers."""

    @classmethod
    def of(cls, role: Role, text: str, ref: str = "") -> Message:
        """A message of one part."""
        return cls(role, (Part(text, ref),))

    @property
    def text(self) -> str:
        """All parts, joined."""
        return "".join(part.text for part in self.parts)


class Segment(msgspec.Struct, frozen=True):
    """A piece of rendered prompt. Only `special` ones may become control tokens; user text never does."""

    text: str
    special: bool = False
    ref: str = ""


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is chosen. `temperature` 0 is greedy."""

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    """1 is off; counts the last 64 tokens."""
    seed: int | None = None
    max_tokens: int | None = None
    """None: until the model ends or its context is full."""
    stop: tuple[str, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    """A tool that a model may call."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """JSON Schema of its arguments; empty: it takes none."""


class Format(msgspec.Struct, frozen=True):
    """The answer is a JSON value."""

    schema: dict[str, Any] | None = None
    """JSON Schema of it; None: any JSON object."""


class Request(msgspec.Struct, frozen=True):
    """What a model is asked."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    chat: str = ""
    """The conversation whose prompt this continues; empty: none that is kept."""
    format: Format | None = None
    """None: free text."""
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["none", "auto", "required"] = "auto"
    tool: str = ""
    """With `required`: the one tool that must be called; empty: any."""
    parallel: bool = True
    """Whether one answer may call more than one tool."""


class Prefilled(msgspec.Struct, frozen=True, tag="prefilled"):
    """The prompt was read."""

    tokens: int
    """Tokens of the whole prompt."""
    cached: int
    """How many of them needed no work."""
    counts: dict[str, int] = {}
    """Tokens per `ref`; template tokens are under the empty ref."""


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """The next piece of the answer: whole characters only, never part of a stop string."""

    text: str


class Thought(msgspec.Struct, frozen=True, tag="thought"):
    """The next piece of what a reasoning model thinks before it answers."""

    text: str


class ToolPiece(msgspec.Struct, frozen=True, tag="tool_piece"):
    """The next piece of a tool call: first its id and name, then its arguments as they come."""

    index: int
    """Which call of this answer, from 0."""
    id: str = ""
    name: str = ""
    arguments: str = ""


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The answer is complete."""

    reason: Literal["stop", "length", "tool_calls"]
    tokens_out: int
    prefill_s: float
    decode_s: float
    drafted: int = 0
    """Tokens that were guessed ahead, to be checked many at a time."""
    accepted: int = 0
    """How many of them the model would have chosen itself, and so did."""


Generated = Prefilled | Piece | Thought | ToolPiece | Finished


class ModelInfo(msgspec.Struct, frozen=True):
    """The model in use, and where it really runs."""

    id: str
    family: str
    state: Literal["missing", "unloaded", "loading", "ready", "failed"]
    context: int = 0
    """Tokens of context."""
    layers: int = 0
    gpu_layers: int = 0
    device: str = "cpu"
    vram_bytes: int = 0
    """What it takes of the GPUs."""
    offload: str = ""
    """Why a GPU is not used, or not for everything; empty if there is nothing to say."""
    safe_mode: str = ""
    """The fallback settings this machine needs; empty for the defaults."""
    problem: str = ""
    """Why it is missing or failed."""
    draft: str = ""
    """The draft model that guesses for it; empty: none."""
    draft_problem: str = ""
    """Why there is none, although the settings want one."""


# --- memory ----------------------------------------------------------------------------------


class NewMemory(msgspec.Struct, frozen=True):
    """A memory to be stored. Times are as `timestamp` writes them."""

    text: str
    kind: Kind = "note"
    said_at: str | None = None
    source: str | None = None
    """Where it came from, in the user's words: `phone`, `import`, a file's name."""
    speaker: str | None = None
    thread: str | None = None
    """Rows of one thread are neighbours of each other, in `said_at` order."""
    trust: Trust = "user"
    """Whose words these are; of several, `join_trust`. Only `user` may become a fact."""
    scope: str = ""
    approved: str = ""
    """The user's yes to exactly this text (`memory.trust.approval`); it is theirs from then on."""
    quote: str | None = None
    """The user's own words that it was taken from."""
    episode: str = ""
    """Where it was said, a turn's id: the same thing said twice in one place counts once."""
    importance: float = 0.5
    sensitivity: str = "normal"


class Memory(msgspec.Struct, frozen=True):
    """A memory as stored."""

    id: str
    text: str
    kind: Kind
    trust: Trust
    scope: str
    created_at: str
    said_at: str
    valid_from: str
    source: str | None = None
    speaker: str | None = None
    thread: str | None = None
    subject: str | None = None
    valid_to: str | None = None
    """When it stopped being true; None while it holds."""
    superseded_by: str | None = None
    importance: float = 0.5
    sensitivity: str = "normal"
    lang: str = "und"
    attribute: str | None = None
    """What it says of its subject, where it says one thing."""
    quote: str | None = None
    """The user's own words that it was taken from."""
    strength: int = 1
    """In how many places it was said."""


class Effect(msgspec.Struct, frozen=True):
    """What became of something that was told."""

    stored: tuple[Memory, ...] = ()
    closed: tuple[Memory, ...] = ()
    """What held until now, as it is kept: history."""
    known: tuple[Memory, ...] = ()
    """Known already; said once more."""


class Suggestion(msgspec.Struct, frozen=True):
    """Something the user said that may be worth keeping. Nothing is stored before a yes."""

    id: str
    text: str
    """What would be stored, to the letter."""
    quote: str
    """The user's own words."""
    subject: str
    attribute: str
    value: str
    sensitivity: str
    importance: float
    turn_id: str
    created_at: str


class Meant(msgspec.Struct, frozen=True):
    """Which memories somebody means."""

    sure: tuple[Memory, ...] = ()
    perhaps: tuple[Memory, ...] = ()

    @property
    def nothing(self) -> bool:
        """None of them."""
        return not (self.sure or self.perhaps)


class Recalled(msgspec.Struct, frozen=True):
    """A memory found for a question. Higher scores are nearer; 1 is about the best there is."""

    id: str
    text: str
    score: float
    kind: Kind
    said_at: str
    source: str | None = None
    speaker: str | None = None
    trust: Trust = "user"
    place: dict[str, Any] | None = None
    """Of a passage of a file: where it stands (page, heading, lines, message, event, contact)."""


class Forget(msgspec.Struct, frozen=True):
    """What to forget: by exactly one of these; `after` and `before` count as one."""

    ids: tuple[str, ...] = ()
    """Memories, with all their versions."""
    query: str = ""
    """What says exactly this or, if nothing does, is clearly meant; with all versions."""
    source: str = ""
    """All from this source: its id, or what rows say of where they come from, letter for letter."""
    after: str = ""
    """All that was said at this time or later, turns of conversations too. ISO 8601."""
    before: str = ""
    """And before this time."""
    everything: bool = False
    confirm: str = ""
    """What the dry run of `everything` answered: nobody forgets everything by mistake."""


class Place(msgspec.Struct, frozen=True):
    """Where something that was forgotten still stands."""

    place: str
    """A table and column, a page, or a file under one of our folders."""
    what: Literal["text", "word"]
    """The text or a passage of it, or a word that nothing else contains."""
    count: int = 1


class Proof(msgspec.Struct, frozen=True):
    """What a search of all our files for what was forgotten found."""

    copies: int
    places: list[Place]
    searched_for: int
    """Texts, passages and words."""
    files: int
    pages: int
    """Of the database, its log and its copies, decrypted; free ones too."""
    bytes: int
    sample_of: int = 0
    """Where too much was forgotten to look for all of it: how many memories and turns; else 0."""


class Forgotten(msgspec.Struct, frozen=True):
    """What went, or would go."""

    ids: list[str]
    turns: list[str]
    counts: dict[str, int]
    """Rows by table."""
    proof: Proof | None = None
    confirm: str = ""
    """Of a dry run of `everything`: what to send to have it done."""


class MemoryCount(msgspec.Struct, frozen=True):
    """How much is remembered, and how many rows still wait for their vectors."""

    count: int
    pending: int


class Backup(msgspec.Struct, frozen=True):
    """A copy of the memory, encrypted with the same key."""

    name: str
    folder: str
    date: str
    """What it holds is what was stored at this moment."""
    bytes: int
    schema: int = 0
    """Number of the last migration in it; 0: not known."""
    rows: int = 0
    """Memories of all versions, conversations and turns."""
    verified: bool = False
    """All of it was read back when it was made, and the file has not changed since."""
    reachable: bool = True
    """False while its folder is away, on a disk that is not plugged in."""
    kind: Literal["backup", "replaced"] = "backup"
    """`replaced`: the memory as it was before a restore."""


class Purged(msgspec.Struct, frozen=True):
    """What became of the backups that were to go."""

    removed: tuple[Backup, ...] = ()
    left: tuple[Backup, ...] = ()
    """Out of reach, or not certainly of this memory."""


# --- sources ---------------------------------------------------------------------------------


class Job(msgspec.Struct, frozen=True):
    """Long work that goes on where it was after the process died."""

    id: str
    kind: Literal["index", "remove", "import"]
    state: JobState
    source_id: str | None = None
    done: int = 0
    """Files, or whatever the work counts."""
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    errors: int = 0
    problem: str = ""
    """Why it failed or waits."""
    created_at: str = ""
    updated_at: str = ""
    finished_at: str | None = None


class Source(msgspec.Struct, frozen=True):
    """A folder or file the user allowed to be read, or another program's file that was imported."""

    id: str
    kind: Literal["folder", "file", "import"]
    path: str
    """Of an import, the file's name."""
    state: SourceState
    created_at: str
    problem: str = ""
    """Why it is unavailable."""
    ignore: tuple[str, ...] = ()
    """Patterns as in .gitignore, of what is not read."""
    hidden: bool = False
    """Whether hidden files are read too. Keys and passwords never are."""
    files: int = 0
    """Files whose passages are remembered."""
    chunks: int = 0
    """Those passages; of an import, what it brought to be remembered."""
    program: str = ""
    """Of an import: whose file it was."""
    conversations: int = 0
    """Of an import: the chats that came with it."""
    failed: int = 0
    """Files that could not be read; `files` of the source says why."""
    skipped: dict[str, int] = {}
    """How many files and folders were passed over, by reason."""
    watched: Literal["", "events", "polling"] = ""
    """How changes are noticed: the system tells, or the folder is looked through now and then."""
    job: Job | None = None
    """The work that is under way, or the last."""


class SourceFile(msgspec.Struct, frozen=True):
    """One file of a source."""

    id: str
    path: str
    """Below the source; of a single file, its name."""
    state: FileState
    problem: str = ""
    bytes: int = 0
    chunks: int = 0
    indexed_at: str = ""


class SwapProgress(msgspec.Struct, frozen=True):
    """How far another embedder is on its way to taking over: texts that have its vectors, of all."""

    model: str
    done: int
    total: int


# --- conversations ---------------------------------------------------------------------------


class Conversation(msgspec.Struct, frozen=True):
    """A chat. `system` is frozen when it starts, so that its prompt only ever grows."""

    id: str
    title: str
    system: str
    created_at: str
    updated_at: str
    device: str = ""
    """Who started it; empty: the owner's own programs."""
    classes: tuple[str, ...] | None = None
    """Which scopes of memory may be recalled in it; None: all."""
    learn: Learning | Literal[""] = ""
    """What becomes of what is said in it; empty: as the device has it."""
    memory: bool = True
    """Whether memories are used in it."""
    pinned: tuple[tuple[str, str], ...] = ()
    """The profile it began with, frozen too: a memory's id and its line."""


class Event(msgspec.Struct, frozen=True):
    """One event of a turn's stream. Ids count from 1 without gaps."""

    id: int
    event: str
    data: dict[str, Any]


class Turn(msgspec.Struct, frozen=True):
    """One question and its answer, as logged."""

    id: str
    conversation_id: str
    text: str
    status: TurnStatus
    started_at: str
    context: str = ""
    """The block of recalled memories and the time that stands before `text` in the prompt."""
    reply: str = ""
    model: str = ""
    tokens: int = 0
    """Prompt and answer tokens this turn added to the conversation."""
    receipt: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    finished_at: str | None = None
    trust: Trust = "user"
    """The lowest label of all that stood in its prompt; what is made from its reply has `model` too."""


class Parcel(msgspec.Struct, frozen=True):
    """What one device sends another: a text, a link, or a file of `bytes` bytes."""

    id: str
    kind: Literal["text", "link", "file"]
    text: str
    name: str
    bytes: int
    sender: str
    to: str | None
    """The device it is for; None: all."""
    created_at: str


# --- speech ----------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True):
    """A stretch of speech and what was said in it. Times are seconds from the recording's start."""

    start_s: float
    end_s: float
    text: str
    logprob: float = 0.0
    """Mean log probability of its tokens."""
    no_speech: float = 0.0
    """How probable it is that nobody spoke, 0 to 1."""
    compression: float = 1.0
    """How well its text compresses; above 2.4 it repeats itself."""
    temperature: float = 0.0
    tokens: tuple[int, ...] = ()


class Transcript(msgspec.Struct, frozen=True):
    """What was said in a recording. Nothing, where nobody spoke."""

    text: str
    language: str
    """ISO 639-1; empty where nobody spoke and none was asked for."""
    seconds: float
    """Of the whole recording."""
    said: tuple[Said, ...] = ()


class ChildStatus(msgspec.Struct, frozen=True):
    """A child process as seen from the daemon."""

    name: str
    state: Literal["stopped", "starting", "running", "crashed"]
    pid: int | None = None
    rss_bytes: int = 0
    starts: int = 0
    crashes: int = 0


# --- devices and doors -----------------------------------------------------------------------------------


ACCESS_SCOPES: tuple[AccessScope, ...] = get_args(AccessScope)


class Device(msgspec.Struct, frozen=True):
    """Whoever may ask: a phone, another computer, a program; or the owner, whose id is empty."""

    id: str
    name: str
    kind: Literal["owner", "phone", "computer", "program"]
    scopes: tuple[AccessScope, ...]
    """What it may do."""
    classes: tuple[str, ...] | None = None
    """Which scopes of memory it may see: `work`, or `work/*` for all below it too. None: all."""
    created_at: str = ""
    last_used_at: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None

    @property
    def sight(self) -> tuple[str, ...] | None:
        """The classes of memory that may reach it, by whatever way. None: all; empty: none."""
        return self.classes if "memory.read" in self.scopes else ()


OWNER = Device("", "owner", "owner", ACCESS_SCOPES)
"""The owner's own programs, on the machine itself."""


def in_classes(scope: str, classes: Sequence[str] | None) -> bool:
    """Whether a memory of this scope is in one of these classes."""
    if classes is None:
        return True
    return any(
        scope == one.removesuffix("/*") or (one.endswith("/*") and scope.startswith(one[:-1]))
        for one in classes
    )


class Network(msgspec.Struct, frozen=True):
    """Where other machines reach us."""

    addresses: tuple[str, ...]
    """As host:port, likeliest first."""
    fingerprint: str
    """SHA-256 of our certificate, in hexadecimal."""
    authority: str
    """The certificate of the authority that signed it, PEM."""


class Door(msgspec.Struct, frozen=True):
    """One way in: where it listens decides what a request must look like, and how many there may be."""

    name: Literal["loopback", "socket", "lan"]
    hosts: tuple[str, ...]
    """The exact values of the Host header that are ours here."""
    scheme: Literal["http", "https"] = "http"
    connections: int = 64
    peer_connections: int = 0
    """Of them, how many one address may have. 0: all."""
