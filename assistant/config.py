"""Settings and limits: defaults < config.toml < environment < flags; every path in one place."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from platformdirs import PlatformDirs

from assistant.errors import ConfigInvalid

PREFIX = "NESTOR_"
TOKEN_BYTES = 32
_SOCKET_FOLDER_BYTES = 90
"""The path of a unix socket has room for about 104 (unix(7), sun_path)."""


class Limits(msgspec.Struct, frozen=True):
    """Every bound a request can meet, in one table. The README lists it."""

    body_bytes: int = 1 << 20
    """A request body, import apart."""
    import_bytes: int = 64 << 20
    """The body of an import of memories."""
    upload_bytes: int = 16 << 30
    """A file that is sent to be imported."""
    header_bytes: int = 16 << 10
    """All request headers together."""
    receipt_s: int = 8
    """Seconds for a whole request to arrive; a large body gets more, as the next line says."""
    upload_bytes_s: int = 65_536
    """Bytes of a body that buy another second."""
    unread_s: int = 15
    """Seconds after which a client that reads nothing of its answer is cut off."""
    idle_s: int = 60
    """Seconds that a connection may wait for its next request."""
    connections: int = 1_200
    """Connections from this machine; when they are all taken, the longest idle one gives way."""
    socket_connections: int = 256
    """Connections of the owner's own programs, through the unix socket."""
    guesses: int = 5
    """Wrong tokens from one address that are looked at; more only after a pause."""
    guess_pause_s: int = 60
    """That pause; it doubles with each wrong token after it, up to an hour."""
    door_guesses: int = 100
    """Wrong tokens from all addresses of the LAN that are looked at within an hour."""
    lan_connections: int = 64
    """Connections from other machines."""
    peer_connections: int = 16
    """Of them, how many one address may have."""
    farewell_s: int = 3
    """Seconds until the door closes after the last device was shut out, so that it hears of it."""
    pair_s: int = 120
    """Seconds that a window for pairing stays open."""
    pair_tries: int = 5
    """Wrong codes and secrets until it closes, whoever sent them."""
    pair_poll_s: int = 15
    """Seconds that a device's question whether it was accepted may wait for the owner."""
    device_classes: int = 32
    """Classes of memory that one device may be kept to."""
    json_depth: int = 64
    """Nested arrays and objects in a body."""
    turn_chars: int = 32_000
    """The text of one turn."""
    memory_chars: int = 16_000
    """The text of one memory."""
    query_chars: int = 2_000
    """A search."""
    write_chars: int = 16_000
    """A text that is rewritten for you."""
    write_tokens: int = 2_048
    """What the model may write of one passage of it."""
    tone_chars: int = 80
    """A tone in which it is written."""
    held_captures: int = 64
    """Parts of what you had remembered while Nestor could not run, held by the icon until it does."""
    title_chars: int = 200
    """A conversation's title, a speaker, a thread, a source's name."""
    page_rows: int = 200
    """Rows in one page of a list."""
    search_rows: int = 100
    """Results of one search."""
    import_batch_rows: int = 500
    """Memories in one transaction of an import."""
    import_record_bytes: int = 64 << 20
    """One conversation, or one note, of a file to import."""
    archive_files: int = 200_000
    """Files in a zip or a folder to import."""
    archive_bytes: int = 64 << 30
    """All files of a zip to import, unpacked; nothing is unpacked to the disk but databases."""
    archive_ratio: int = 200
    """How much larger a file over a megabyte may become when it is unpacked."""
    skips_told: int = 100
    """Things left out of an import that its answer names one by one; the rest is counted."""
    import_statements: int = 2_000
    """Short notes of another program's that an import lists for a yes, and takes a yes for."""
    export_line_bytes: int = 64 << 20
    """One line of an export."""
    vector_dims: int = 8_192
    """Numbers in a vector of an export."""
    completion_messages: int = 512
    """Messages in one chat completion."""
    tools: int = 128
    """Tools in one chat completion, and calls in one of its messages."""
    schema_chars: int = 65_536
    """One JSON Schema; compiling this much takes up to 0.4 s."""
    answer_calls: int = 16
    """Tool calls in one answer."""
    embed_inputs: int = 256
    """Texts in one embeddings request."""
    stop_strings: int = 8
    """Stop strings in one request."""
    stop_chars: int = 400
    """One stop string."""
    name_chars: int = 200
    """An id or a cursor in a request."""
    path_chars: int = 4_096
    """The path of a model file, or of a folder for backups."""
    recalled_rows: int = 6
    """Memories in front of a question; small models read few well."""
    recalled_chars: int = 1_200
    """Of one memory, in front of a question; the receipt says when it had more."""
    reply_tokens: int = 1_024
    """The answer of a turn; at most a quarter of the context."""
    summary_tokens: int = 384
    """The summary that stands for a conversation's older turns."""
    drafts: int = 8
    """Drafts kept at once for `warm`; the oldest gives way."""
    draft_s: int = 120
    """Seconds that a draft is kept, and the block of memories that was made for it."""
    queue_length: int = 32
    """Requests that the model works on or that wait for it; one more is refused with 429."""
    device_queue_length: int = 24
    """How many of them one device may have, so that another always finds room."""
    background_tokens: int = 2_048
    """Room in the model's cache that is kept for work in the background, beside the chats'."""
    kv_disk_bytes: int = 2 << 30
    """What idle chats may take on disk so that their prompts need not be read again."""
    finished_turns: int = 64
    """Finished turns whose events stay in memory for a resume; older ones come from disk."""
    typed: int = 64
    """Conversations whose unsent text is kept for your other devices."""
    parcel_bytes: int = 5 << 20
    """A file that is sent to a device."""
    parcels: int = 100
    """Things that wait for a device to take them."""
    feed_events: int = 1_024
    """What changed lately, kept for devices that come back; who missed more reads everything anew."""
    audio_bytes: int = 25 << 20
    """A recording to be transcribed, its form included."""
    audio_s: int = 3_600
    """Seconds of one recording."""
    speech_chars: int = 4_096
    """The text of one request to be spoken."""
    speech_queue: int = 8
    """Recordings and texts that speech works on or that wait for it; one more is refused with 429."""
    talks: int = 4
    """Who may talk at once (WebSockets `/api/v1/talk`)."""
    talk_s: int = 120
    """Seconds of speech that are heard at once."""
    talk_message_bytes: int = 65_536
    """One message of a WebSocket."""
    frame_bytes: int = 64 << 20
    """One message between the daemon and a child."""
    sources: int = 64
    """Folders and files that are allowed."""
    source_files: int = 200_000
    """Files of one source; what is beyond is skipped, and said so."""
    source_depth: int = 64
    """Folders inside each other."""
    source_file_bytes: int = 32 << 20
    """One file, mailboxes apart."""
    source_mailbox_bytes: int = 4 << 30
    """One mbox file; each message is held to `source_file_bytes`."""
    source_unpacked_bytes: int = 256 << 20
    """What a compressed document may unpack to."""
    source_text_chars: int = 10_000_000
    """Text taken from one file or message; the rest is left out, and said so."""
    source_parse_s: int = 60
    """Seconds that reading one file or message may take."""
    source_parse_bytes: int = 1 << 30
    """Memory of the process that reads files."""
    source_patterns: int = 200
    """Ignore patterns of one source."""
    chunk_chars: int = 1_200
    """One passage of a file, as it is remembered."""


LIMITS = Limits()

RESPONSE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer, whoever asked: nothing of it is kept, framed, guessed at or passed on."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Hours = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may set. Each field is a key of config.toml and `NESTOR_<FIELD>` in the environment."""

    port: Port = 7717
    """TCP port on 127.0.0.1 and ::1. 0 takes any free one."""
    model: str = "starter"
    """Catalogue id, path to a .gguf file, or `fake`."""
    family: str = ""
    """Chat template of a model given by path: chatml, llama3, gemma, mistral or phi. Empty: from the file."""
    context: Count = 0
    """Tokens of context. 0: the catalogue's choice, within what the model was trained on."""
    threads: Count = 0
    """Threads of the model. 0: physical cores minus one, at least one; all of two."""
    lookup: Literal["on", "off"] = "on"
    """Whether answers may be guessed ahead from the prompt, to be checked many words at a time."""
    draft_model: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9._-]{1,64}$")] = "off"
    """A smaller model that guesses ahead too: `auto` (the catalogue's for this model), an id, or `off`."""
    gpu_layers: Annotated[int, msgspec.Meta(ge=-1)] = -1
    """Layers on the GPU. -1: as many as fit."""
    yield_vram: bool = True
    """Whether the model leaves the GPU when another program needs its memory; it returns on demand."""
    embedder: str = "e5"
    """`e5` (built in, multilingual) or `st:<folder or hub model>` for sentence-transformers."""
    learning: Literal["ask", "auto", "off"] = "ask"
    """What becomes of what you say: `ask` offers what may be worth keeping, `auto` stores it."""
    stt: str = "whisper-base"
    """What hears: a speech model of the catalogue, or a folder with a faster-whisper model."""
    voice: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = "heart"
    """What speaks: `heart` (English), or a language of espeak-ng such as `fr`, where that is installed."""
    wake_word: Literal["off", "hey_jarvis", "alexa", "hey_mycroft", "okay_nabu"] = "off"
    """What wakes Nestor when it is said; off: the microphone is open only while you hold the key."""
    hotkey_ask: str = "auto"
    """Opens the quick-ask window: such as `ctrl+alt+space`, `auto` (this system's choice), or `off`."""
    hotkey_talk: str = "auto"
    """Held down to talk."""
    hotkey_write: str = "auto"
    """Write For Me on what is selected."""
    hotkey_remember: str = "auto"
    """Remembers what is selected."""
    ask_context: Literal["off", "selection", "clipboard", "both"] = "off"
    """What the quick-ask window may look at when it opens, and offer you to attach."""
    theme: Literal["auto", "light", "dark"] = "auto"
    """Of the windows on the desktop. auto: as the desktop."""
    key_store: Literal["auto", "keyring", "file"] = "auto"
    """Where the database key lives. auto: the OS keyring where there is one, else a 0600 file."""
    idle_unload_s: Seconds = 1800.0
    """Seconds without a request until the model leaves memory. 0: never."""
    backup_every_h: Hours = 24.0
    """Hours between two backups of the memory, made while little else happens. 0: none by itself."""
    backup_keep: Annotated[int, msgspec.Meta(ge=1)] = 7
    """How many of them stay; the oldest goes once a newer one is verified."""
    backup_folder: str = ""
    """Where they go; a folder of yours must exist. Empty: `backups` beside the memory."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What the log file keeps. INFO and above hold no personal content."""


class Paths(msgspec.Struct, frozen=True):
    """Where everything lies."""

    config: Path
    data: Path
    state: Path
    cache: Path
    models: Path
    runtime: Path

    @property
    def socket(self) -> Path:
        """The owner's unix socket, 0600."""
        return self.runtime / "api.sock"

    @property
    def pipe(self) -> str:
        """The same on Windows: the name of a pipe."""
        return "\\\\.\\pipe\\nestor-" + _short_hash(self.data)

    @property
    def desktop_socket(self) -> Path:
        """Where the program with the icon takes orders, 0600."""
        return self.runtime / "desktop.sock"

    @property
    def desktop_pipe(self) -> str:
        """The same on Windows."""
        return self.pipe + "-desktop"

    @property
    def desktop_lock(self) -> Path:
        """Held by the one icon of this data directory; has its pid."""
        return self.data / "desktop.lock"

    @property
    def tls(self) -> Path:
        """Keys and certificates for the LAN; made by the first `nestor pair`."""
        return self.config / "tls"

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"

    @property
    def token(self) -> Path:
        """The owner's token, 0600."""
        return self.config / "token"

    @property
    def key(self) -> Path:
        """The database key where no keyring is, 0600."""
        return self.config / "database.key"

    @property
    def database(self) -> Path:
        """The memory."""
        return self.data / "memory.db"

    @property
    def backups(self) -> Path:
        """Backups of the memory, unless `backup_folder` says otherwise."""
        return self.data / "backups"

    @property
    def backup_record(self) -> Path:
        """Which backups were made, wherever they are."""
        return self.state / "backups.json"

    @property
    def forgotten(self) -> Path:
        """What was forgotten, as keyed hashes: kept where losing the memory does not lose it."""
        return self.data / "forgotten"

    @property
    def incoming(self) -> Path:
        """Files that were sent to be imported, while they are read."""
        return self.data / "incoming"

    @property
    def lock(self) -> Path:
        """Held by the one daemon of this data directory; has its pid and port."""
        return self.data / "daemon.lock"

    @property
    def log(self) -> Path:
        """The daemon's log, rotated."""
        return self.state / "daemon.log"

    @property
    def chats(self) -> Path:
        """KV states of idle chats, encrypted; may be lost."""
        return self.cache / "chats"

    @property
    def speech_models(self) -> Path:
        """Speech models, joined and verified."""
        return self.models / "speech"

    @property
    def engine_memory(self) -> Path:
        """Which engine settings worked, per machine, model and library version."""
        return self.state / "engine.json"

    def make(self) -> None:
        """Create the folders, private to this user."""
        for folder in (self.config, self.data, self.state, self.cache, self.models):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def load_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """Where everything lies: `NESTOR_HOME` puts all under one folder, `NESTOR_MODELS` names the models."""
    home = environ.get("NESTOR_HOME", "")
    if home:
        base = Path(home).expanduser().absolute()
        config, data, state, cache = (base / n for n in ("config", "data", "state", "cache"))
        runtime = base / "run"
    else:
        dirs = PlatformDirs("nestor", appauthor=False)
        config, data = Path(dirs.user_config_dir), Path(dirs.user_data_dir)
        state, cache = Path(dirs.user_state_dir), Path(dirs.user_cache_dir)
        session = environ.get("XDG_RUNTIME_DIR", "")
        runtime = Path(session) / "nestor" if session else state / "run"
    if len(os.fsencode(runtime)) > _SOCKET_FOLDER_BYTES:
        runtime = Path(tempfile.gettempdir()) / f"nestor-{_short_hash(data)}"
    models = environ.get("NESTOR_MODELS", "")
    folder = Path(models).expanduser().absolute() if models else data / "models"
    return Paths(config=config, data=data, state=state, cache=cache, models=folder, runtime=runtime)


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def load_settings(
    paths: Paths,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge defaults, config.toml, `NESTOR_*` and flags (None means not given).

    Raises ConfigInvalid, naming the setting and where it came from.
    """
    merged: dict[str, Any] = {}
    for origin, values in (
        ("config.toml", read_config(paths)),
        ("the environment", _from_environment(environ)),
        ("the command line", {k: v for k, v in (flags or {}).items() if v is not None}),
    ):
        merged |= values
        settings = _check(merged, origin)
    return settings


def read_config(paths: Paths) -> dict[str, Any]:
    """What config.toml says; empty if there is none. Raises ConfigInvalid if it is not TOML."""
    try:
        return tomllib.loads(paths.config_file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"config.toml cannot be read: {exc}.") from exc


def write_setting(paths: Paths, name: str, value: str) -> None:
    """Set one key of config.toml; every other line, comments too, stays as the user wrote it.

    Raises ConfigInvalid before anything is written, or if the file cannot be.
    """
    _check(read_config(paths) | {name: value}, "config.toml")
    try:
        old = paths.config_file.read_text("utf-8") if paths.config_file.exists() else ""
        line = f"{name} = {json.dumps(value)}"
        new, count = re.subn(rf"(?m)^{name}\s*=.*$", lambda _: line, old, count=1)
        text = new if count else f"{line}\n{old}"
        if tomllib.loads(text) != read_config(paths) | {name: value}:
            raise ConfigInvalid(f"config.toml could not be changed; set {name} in it yourself.")
        write_private(paths.config_file, text.encode())
    except OSError as exc:
        raise ConfigInvalid("config.toml could not be written.", "Check the disk.") from exc


def _check(values: Mapping[str, Any], origin: str) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigInvalid(f"A setting from {origin} cannot be used: {exc}.") from exc


def owner_token(path: Path) -> str:
    """The owner's token; made on the first start, 256 bits, in a file for this user alone."""
    try:
        token = path.read_text("ascii").strip()
        if token:
            return token
    except FileNotFoundError:
        pass
    token = secrets.token_urlsafe(TOKEN_BYTES)
    write_private(path, token.encode() + b"\n")
    return token


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once, readable by this user alone; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = Settings.__struct_fields__
    return {n: environ[PREFIX + n.upper()] for n in names if environ.get(PREFIX + n.upper())}
