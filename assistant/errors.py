"""The error tree. Every error a user can meet has a stable `code`, an HTTP status and a hint.

    AssistantError             ours
      InvalidInput               what was sent cannot be used
        InvalidJson                the body is not strict JSON
        Ambiguous                  no valid HTTP, or HTTP that two programs could read differently
        TooSlow                    the request did not arrive in time
        EmptyText                  there is no text in it
        TextTooLong                one field is over its limit
        BodyTooLarge               the whole body is over its limit
        HeadersTooLarge            all headers together are over their limit
        UnsupportedMedia           the Content-Type is not one we read
        UnsupportedParameter       a known parameter with a value we cannot honour
          SchemaUnsupported          a JSON Schema that no grammar can be made of
        ImportInvalid              the file to import cannot be read, or is damaged
          ImportNewer                a newer Nestor wrote it
          PasswordNeeded             it is sealed, and no password came with it
            PasswordWrong              the password does not open it
        AudioInvalid               a recording that cannot be decoded
        AudioTooLong               a recording over its limit
        ContextOverflow            the prompt does not fit into the model's context
      Refused                    who asks may not
        Unauthorized               no token, or not one of ours
        TooManyGuesses             tokens or codes were tried too often from there
        ScopeMissing               this device may do other things, but not that
        PairingRefused             no window for this device, or not with this code
        ForeignHost                the Host header names another machine
        ForeignOrigin              a web page of another site asks
        Untrusted                  words that are not the user's would be taken for theirs
        SourceRefused              this folder or file is never read
        TooManyConnections         every connection is taken and in use
        LanRefused                 other machines could reach us without TLS and a paired device
        SocketUnsafe               the owner's socket cannot be made safely
      NotFound                   the thing named is not there
        RouteNotFound  MethodNotAllowed  MemoryNotFound  ConversationNotFound
        TurnNotFound  ModelNotFound  BackupNotFound  SourceNotFound  VoiceNotFound
        DeviceNotFound  SuggestionNotFound  ParcelNotFound  ActionNotFound
      Conflict                   not in this state
        TurnRunning                this conversation is still answering
        ModelMissing               the model is known, but not on this machine
        TooManyParcels             too much waits to be taken by a device
        ModelInUse                 the model is the one being used
        PortTaken                  another program listens on our port
        AlreadyRunning             another daemon holds this data directory
        MemoryClosed               the memory was superseded; only its history remains
        SourceExists               the folder or file is allowed already
      EngineError                the model could not answer
        EngineBusy                 the queue is full; try again
        EngineCrashed              the engine process died
        EngineUnloadable           the model could not be loaded, whatever was tried
        FamilyUnknown              no chat template is known for this model
        ModelInvalid               the model file is damaged or not a GGUF
        Stopped                    cancelled, or the daemon stopped
      EmbedderError              no vectors can be had now
      SpeechError                speech can be neither heard nor spoken now
        SpeechMissing              its packages or its models are not on this machine
        SpeechBusy                 too many wait for it; try again
      DownloadError              a model could not be fetched
        HashMismatch               the bytes are not the ones the catalogue names
        DiskFull                   there is no room for it
      StoreError                 the database could not be used
        KeyMissing                 the database is there, its key is not
        KeyWrong                   the key does not open the database
        RecoveryKeyInvalid         what was typed is not a whole recovery key
        BackupFailed               no backup could be made
        BackupInvalid              the file to restore is not a whole memory
        Damaged                    a part of the file is not as it was written
      ConfigInvalid              config.toml or the environment has a value we cannot use
      ChildCrashed               a child process died (translated by whoever owns the child)
        ChildStopped               it was stopped on purpose
      Unreachable                a client could not reach the daemon
      DesktopError               a face on the desktop cannot be shown or heard
        NoDisplay                  there is no display
        ExtraMissing               a library that Nestor does without is needed for it
        HotkeysUnavailable         this desktop gives no program hotkeys, or not us
          HotkeyNotHeard             no real press and release came
        HotkeyRefused              this combination types, or another program has it
        TrayNotRunning             the program with icon, windows and hotkeys is not there
        TrayRunning                it is there already
        ActionFailed               what was asked of it went wrong, and the reason is not known
      Internal                   a fault of ours; the log has the details

Messages and hints are shown to people: they never carry a secret, a path or the user's text.
"""

from __future__ import annotations

from typing import ClassVar


class AssistantError(Exception):
    """Something a user can be told. `message` says what happened, `hint` what to do next."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    default: ClassVar[str] = "Something went wrong inside Nestor."
    advice: ClassVar[str] = "Run `nestor doctor`; the log has the details."

    def __init__(
        self, message: str = "", hint: str = "", *, retry_after_s: float | None = None
    ) -> None:
        self.message = message or self.default
        self.hint = hint or self.advice
        self.retry_after_s = retry_after_s
        super().__init__(self.message)

    def body(self) -> dict[str, str]:
        """As clients see it."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class Internal(AssistantError):
    """A fault of ours."""


class InvalidInput(AssistantError):
    """What was sent cannot be used."""

    code = "invalid_input"
    status = 422
    default = "The request has a field that cannot be used."
    advice = "See /openapi.json for the fields and their limits."


class InvalidJson(InvalidInput):
    """The body is not strict JSON: syntax, NaN, a lone surrogate, bad UTF-8, or nested too deep."""

    code = "invalid_json"
    status = 400
    default = "The body is not valid JSON."
    advice = "Send UTF-8 JSON without NaN, Infinity or lone surrogates."


class Ambiguous(InvalidInput):
    """No valid HTTP, or a request whose end two programs could see in different places."""

    code = "ambiguous_request"
    status = 400
    default = "This is no valid HTTP request."
    advice = "Send HTTP/1.1 with either Content-Length or Transfer-Encoding."


class TooSlow(InvalidInput):
    """The request did not arrive in time."""

    code = "too_slow"
    status = 408
    default = "The request did not arrive in time."
    advice = "Send it again, at once and whole."


class EmptyText(InvalidInput):
    """There is no text."""

    code = "empty_text"
    default = "The text is empty."
    advice = "Send at least one visible character."


class TextTooLong(InvalidInput):
    """One field is over its limit."""

    code = "text_too_long"
    status = 413
    default = "The text is too long."
    advice = "Send it in smaller pieces, or import it as a file."


class BodyTooLarge(InvalidInput):
    """The whole body is over its limit."""

    code = "body_too_large"
    status = 413
    default = "The request body is too large."
    advice = "Send it in smaller pieces."


class HeadersTooLarge(InvalidInput):
    """All headers together are over their limit."""

    code = "headers_too_large"
    status = 431
    default = "The request's headers are too large."
    advice = "Send fewer or shorter headers."


class UnsupportedMedia(InvalidInput):
    """The Content-Type is not one this route reads."""

    code = "unsupported_media_type"
    status = 415
    default = "This Content-Type cannot be read here."
    advice = "Send application/json."


class UnsupportedParameter(InvalidInput):
    """A known parameter with a value we cannot honour; refused rather than ignored."""

    code = "unsupported_parameter"
    status = 400
    default = "A parameter has a value this version cannot honour."
    advice = "Leave the parameter out."


class SchemaUnsupported(UnsupportedParameter):
    """A JSON Schema that no grammar can be made of. The message names the keyword."""

    code = "schema_unsupported"
    default = "The JSON Schema cannot be used."
    advice = "Leave that keyword out, or check it after the answer."


class ImportInvalid(InvalidInput):
    """The file to import is damaged, cut off or of no kind we read. The message says where."""

    code = "import_invalid"
    default = "The file cannot be imported."
    advice = "Export it again, or choose another file. Nothing of it was stored."


class ImportNewer(ImportInvalid):
    """A newer Nestor wrote the file; what we do not know would be lost."""

    code = "import_newer"
    default = "A newer version of Nestor wrote this file."
    advice = "Install the newest version. The file and the memory are unchanged."


class PasswordNeeded(ImportInvalid):
    """The file is sealed, and no password came with it."""

    code = "password_needed"
    default = "This file is protected by a password."
    advice = "Give it: `nestor import FILE --password`."


class PasswordWrong(PasswordNeeded):
    """The password does not open the file, or its beginning is damaged."""

    code = "password_wrong"
    default = "The password does not open this file, or its beginning is damaged."
    advice = "Try again with the password it was exported with."


class AudioInvalid(InvalidInput):
    """A recording that no decoder of ours reads, or that is cut off before any sound."""

    code = "audio_invalid"
    default = "The recording cannot be read."
    advice = "Send a whole file: wav, flac, mp3, m4a, ogg, opus or webm."


class AudioTooLong(InvalidInput):
    """A recording over its limit."""

    code = "audio_too_long"
    status = 413
    default = "The recording is too long."
    advice = "Send it in shorter pieces."


class ContextOverflow(InvalidInput):
    """The prompt does not fit into the model's context."""

    code = "context_overflow"
    status = 413
    default = "The prompt is longer than the model can read."
    advice = "Send less text, start a new conversation, or use a model with a larger context."


class Refused(AssistantError):
    """Who asks may not."""

    code = "refused"
    status = 403
    default = "This request is not allowed."
    advice = "Ask from one of your own devices."


class Unauthorized(Refused):
    """No token, or not one of ours. One answer for every cause, so that nothing can be learnt."""

    code = "unauthorized"
    status = 401
    default = "A valid token is needed."
    advice = "Send `Authorization: Bearer <token>`; `nestor token` prints yours."


class TooManyGuesses(Refused):
    """Wrong tokens or codes were tried too often from there; more are not even looked at for a while."""

    code = "too_many_guesses"
    status = 429
    default = "Too many wrong tokens came from there."
    advice = "Wait, then use a right one. Through the owner's socket `nestor` works all the while."


class ScopeMissing(Refused):
    """The device may do other things, but not that."""

    code = "scope_missing"
    default = "This device may not do that."
    advice = "On your computer, `nestor devices scope` changes what it may do."


class PairingRefused(Refused):
    """No window, a wrong code, or another device was first. One answer, so that nothing can be learnt."""

    code = "pairing_refused"
    default = "This device cannot be paired now."
    advice = "Run `nestor pair` on your computer, and use the new code."


class ForeignHost(Refused):
    """The Host header names another machine: DNS rebinding, or a proxy nobody configured."""

    code = "foreign_host"
    status = 403
    default = "The Host header does not name this daemon."
    advice = "Use http://127.0.0.1:<port> or http://localhost:<port>."


class ForeignOrigin(Refused):
    """A web page of another site asks."""

    code = "foreign_origin"
    status = 403
    default = "Web pages of other sites may not talk to Nestor."
    advice = "Use a program of yours with a token, or Nestor's own page."


class Untrusted(Refused):
    """Text of a file, a page, a tool or a model would become a fact, or replace one."""

    code = "untrusted"
    default = "Text that is not yours cannot become a fact."
    advice = "Show it to the user word for word; with their yes it can."


class TooManyConnections(Refused):
    """Every connection is taken, and none of them is idle."""

    code = "too_many_connections"
    status = 503
    default = "Too many connections are open."
    advice = "Close some, then try again."


class LanRefused(Refused):
    """Other machines could reach the daemon without TLS, or though no device is paired."""

    code = "lan_refused"
    default = "Nestor does not listen on the network like this."
    advice = "Pair a device first: `nestor pair`."


class SocketUnsafe(Refused):
    """The owner's socket cannot be made where nobody else can reach it."""

    code = "socket_unsafe"
    default = "The owner's socket cannot be made: its folder belongs to another user or cannot be written."
    advice = "Check XDG_RUNTIME_DIR, or set NESTOR_HOME to a folder of yours with a short path."


class SourceRefused(Refused):
    """This folder or file is never read."""

    code = "source_refused"
    status = 403
    default = "This is not read: it holds keys, passwords, or the system's or Nestor's own files."
    advice = "Allow a folder of your documents instead."


class NotFound(AssistantError):
    """The thing named is not there."""

    code = "not_found"
    status = 404
    default = "There is nothing by that name."
    advice = "List what there is, then try again."


class RouteNotFound(NotFound):
    """No such address."""

    code = "route_not_found"
    default = "There is no such address."
    advice = "GET /openapi.json (with your token) lists the addresses."


class MethodNotAllowed(NotFound):
    """The address is there, the method is not."""

    code = "method_not_allowed"
    status = 405
    default = "This address does not take that method."
    advice = "GET /openapi.json (with your token) lists the methods."


class MemoryNotFound(NotFound):
    """The memory is gone, or never was."""

    code = "memory_not_found"
    default = "There is no memory with that id."
    advice = "GET /api/v1/memories lists them."


class ConversationNotFound(NotFound):
    """The conversation is gone, or never was."""

    code = "conversation_not_found"
    default = "There is no conversation with that id."
    advice = "GET /api/v1/conversations lists them."


class TurnNotFound(NotFound):
    """The turn is gone, or never was."""

    code = "turn_not_found"
    default = "There is no turn with that id."
    advice = "GET /api/v1/conversations/{id} lists a conversation's turns."


class SuggestionNotFound(NotFound):
    """The suggestion was answered, or never was."""

    code = "suggestion_not_found"
    default = "There is no suggestion with that id."
    advice = "GET /api/v1/suggestions lists those that wait for an answer."


class WakingNotFound(NotFound):
    """No waking with this id is in the log."""

    code = "waking_not_found"
    default = "There is no waking with that id."
    advice = "GET /api/v1/wakings lists those that are kept."


class ParcelNotFound(NotFound):
    """It was taken, or is for another device, or never was."""

    code = "parcel_not_found"
    default = "Nothing by that id waits for this device."
    advice = "GET /api/v1/parcels lists what does."


class ModelNotFound(NotFound):
    """The catalogue does not know this id and it is no file."""

    code = "model_not_found"
    default = "There is no model by that name."
    advice = "`nestor models list` shows what there is; a path to a .gguf file works too."


class BackupNotFound(NotFound):
    """No backup by that name, and no such file."""

    code = "backup_not_found"
    default = "There is no backup by that name."
    advice = "`nestor backup --list` shows them; the path of a file works too."


class SourceNotFound(NotFound):
    """No folder or file was allowed under this id, or it is being removed."""

    code = "source_not_found"
    default = "There is no source with that id."
    advice = "`nestor sources list` shows what is allowed."


class VoiceNotFound(NotFound):
    """No voice by that name speaks here."""

    code = "voice_not_found"
    default = "There is no voice by that name."
    advice = "Send `default`, `heart`, or a language such as `fr` where espeak-ng is installed."


class DeviceNotFound(NotFound):
    """No such device, or it was revoked."""

    code = "device_not_found"
    default = "There is no device with that id."
    advice = "`nestor devices list` shows them."


class ActionNotFound(NotFound):
    """The icon's program knows no action by that name, or cannot do it on this desktop."""

    code = "action_not_found"
    default = "Nestor's icon does not know how to do that here."
    advice = "`nestor doctor` says what this desktop can do."


class Conflict(AssistantError):
    """Not in this state."""

    code = "conflict"
    status = 409
    default = "That cannot be done in this state."
    advice = "Look at `nestor status`, then try again."


class WakeWordOff(Conflict):
    """Nobody has turned the wake word on."""

    code = "wake_word_off"
    default = "The wake word is off."
    advice = "Turn it on with `wake_word` in config.toml, for example `hey_jarvis`, and start Nestor again."


class TurnRunning(Conflict):
    """This conversation is still answering."""

    code = "turn_running"
    default = "This conversation is still answering."
    advice = "Wait for it, or cancel it with DELETE /api/v1/turns/{id}."


class TooManyParcels(Conflict):
    """Too much waits to be taken by a device."""

    code = "too_many_parcels"
    default = "Too much was sent and never taken."
    advice = "Delete something that waits on one of your devices, then send again."


class ModelMissing(Conflict):
    """The model is known, but its file is not on this machine."""

    code = "model_missing"
    default = "The model is not on this machine yet."
    advice = "Fetch it with `nestor models pull <id>`."


class ModelInUse(Conflict):
    """The model is the one being used."""

    code = "model_in_use"
    default = "This model is in use."
    advice = "Choose another one first: `nestor models use <id>`."


class AlreadyRunning(Conflict):
    """Another daemon holds this data directory."""

    code = "already_running"
    default = "Nestor is already running here."
    advice = "`nestor status` shows it, `nestor down` stops it."

    @classmethod
    def by(cls, pid: int) -> AlreadyRunning:
        """Naming the process that holds the data directory."""
        return cls(f"Nestor is already running here (pid {pid}).")


class PortTaken(Conflict):
    """Another program listens on our port."""

    code = "port_taken"
    default = "Another program uses Nestor's port."
    advice = "Choose another one: `nestor up --port 7718`, or `port` in config.toml."


class MemoryClosed(Conflict):
    """The memory was superseded; only its history remains."""

    code = "memory_closed"
    default = "This memory was replaced by a newer one."
    advice = "Its history names the one that holds now; change that."


class SourceExists(Conflict):
    """The folder or file is allowed already, or lies in or around one that is."""

    code = "source_exists"
    default = "This is allowed already, or lies in or around a folder that is."
    advice = "`nestor sources list` shows what is allowed; remove that one first."


class EngineError(AssistantError):
    """The model could not answer."""

    code = "engine_error"
    status = 503
    default = "The model could not answer."
    advice = "Try again; `nestor doctor` says what is wrong if it stays so."


class EngineBusy(EngineError):
    """The queue is full."""

    code = "engine_busy"
    status = 429
    default = "Too many requests are waiting for the model."
    advice = "Try again in a few seconds."


class EngineCrashed(EngineError):
    """The engine process died; it is started again for the next request."""

    code = "engine_crashed"
    default = "The model's process died while it answered."
    advice = "Ask again: it is being restarted, and nothing you said is lost."


class EngineUnloadable(EngineError):
    """The model could not be loaded, whatever settings were tried."""

    code = "engine_unloadable"
    default = "The model could not be loaded on this machine."
    advice = "`nestor models verify` checks the file; a smaller model may fit."


class FamilyUnknown(EngineError):
    """No chat template is known for this model."""

    code = "family_unknown"
    status = 422
    default = "No chat template is known for this model's architecture."
    advice = "Set `family` in config.toml to one of: chatml, llama3, gemma, mistral, phi."


class ModelInvalid(EngineError):
    """The model file is damaged or not a GGUF; native code never saw it."""

    code = "model_invalid"
    status = 422
    default = "The model file is damaged or is not a GGUF file."
    advice = "Fetch it again: `nestor models rm <id>`, then `nestor models pull <id>`."


class ModelSetAside(EngineError):
    """The model crashed again and again; it is not started any more."""

    code = "model_set_aside"
    default = "The model crashed several times in a row and was set aside."
    advice = "`nestor models use` with another model, or with this one to try again."


class Stopped(EngineError):
    """The answer was cancelled, or the daemon stopped."""

    code = "stopped"
    default = "The answer was stopped."
    advice = "Ask again."


class EmbedderError(AssistantError):
    """No vectors can be had now; words still find memories."""

    code = "embedder_error"
    status = 503
    default = "The embedder could not run."
    advice = "Try again; `nestor doctor` says what is wrong if it stays so."


class SpeechError(AssistantError):
    """Speech can be neither heard nor spoken now; everything else works."""

    code = "speech_error"
    status = 503
    default = "Speech could not run."
    advice = "Try again; `nestor doctor` says what is wrong if it stays so."


class MicrophoneMissing(SpeechError):
    """No microphone can be opened, or the one that was is gone."""

    code = "microphone_missing"
    default = "No microphone can be used."
    advice = (
        "Plug one in, or allow Nestor to use it in the system's sound settings; then try again."
    )


class SpeakerMissing(SpeechError):
    """No loudspeaker can be opened."""

    code = "speaker_missing"
    default = "No loudspeaker can be used, so answers are only written."
    advice = "Plug one in, or choose one in the system's sound settings."


class SpeechMissing(SpeechError):
    """What speech needs is not on this machine. The message names it."""

    code = "speech_missing"
    status = 501
    default = "Speech is not installed."
    advice = "Install Nestor's extra `voice` (`pip install 'nestor[voice]'`), then try again."


class SpeechBusy(SpeechError):
    """Too many wait for it."""

    code = "speech_busy"
    status = 429
    default = "Too many requests are waiting for speech."
    advice = "Try again in a few seconds."


class DownloadError(AssistantError):
    """A model could not be fetched from any of its sources."""

    code = "download_failed"
    status = 502
    default = "The model could not be fetched."
    advice = "Check the network, then pull again: it continues where it stopped."


class HashMismatch(DownloadError):
    """The bytes are not the ones the catalogue names. They were thrown away."""

    code = "hash_mismatch"
    default = "The fetched bytes are not the ones the catalogue names."
    advice = "They were thrown away; pull again, or try another source."


class DiskFull(DownloadError):
    """There is no room for it."""

    code = "disk_full"
    status = 507
    default = "There is not enough free disk space."
    advice = "Free some space, or set NESTOR_MODELS to a larger disk."


class StoreError(AssistantError):
    """The database could not be used."""

    code = "store_error"
    default = "The memory's database could not be used."
    advice = "Run `nestor doctor`; nothing was changed."


class KeyMissing(StoreError):
    """The database is there, its key is not. Nothing is overwritten."""

    code = "key_missing"
    default = "The memory's database is here, but its key is not."
    advice = "Unlock the keyring or put the key file back; or type your recovery key: `nestor key enter`."


class KeyWrong(StoreError):
    """The key does not open the database, or the file is damaged. Nothing is overwritten."""

    code = "key_wrong"
    default = "The key does not open the memory's database, or the file is damaged."
    advice = "Put back the key or the file that belong together, then start again."


class RecoveryKeyInvalid(StoreError):
    """What was typed is not a whole recovery key: whether it is the right one is not known yet."""

    code = "recovery_key_invalid"
    status = 422
    default = "The recovery key was not typed as it was printed."
    advice = "Compare it with the printed one and type it again. Nothing was changed."


class BackupFailed(StoreError):
    """No backup was made. The memory and the older backups are as they were."""

    code = "backup_failed"
    status = 503
    default = "The backup could not be made."
    advice = "Check the folder for backups; the memory and older backups are as they were."


class BackupInvalid(StoreError):
    """The file is damaged, cut off, or no memory of Nestor's. Nothing was changed."""

    code = "backup_invalid"
    status = 422
    default = "This file is not a whole backup of a memory."
    advice = "Choose another one: `nestor backup --list`. Nothing was changed."


class Damaged(StoreError):
    """A page that was needed is not as it was written. The file is left as it is."""

    code = "damaged"
    default = "A part of the memory's database is damaged."
    advice = "Restore a backup; nothing was changed. `nestor doctor` checks the whole file."


class ConfigInvalid(AssistantError):
    """config.toml, the environment or a flag has a value we cannot use."""

    code = "config_invalid"
    status = 422
    default = "The configuration has a value that cannot be used."
    advice = "The README's table of settings lists names and values."


class ChildCrashed(AssistantError):
    """A child process died or stopped answering; whoever owns the child says what that means."""

    code = "child_crashed"
    status = 503
    default = "A helper process died."
    advice = "It is restarted on the next request."

    exit_code: int | None = None
    """As the system gave it: negative is the number of a signal; None if it is not known."""


class ChildStopped(ChildCrashed):
    """A child process was stopped on purpose while it answered."""

    code = "child_stopped"
    default = "A helper process was stopped."


class Unreachable(AssistantError):
    """A client could not reach the daemon."""

    code = "unreachable"
    status = 503
    default = "Nestor is not running."
    advice = "Start it with `nestor up --detach`."


class DesktopError(AssistantError):
    """A face on the desktop cannot be shown or heard. Everything else works."""

    code = "desktop_error"
    status = 503
    default = "This cannot be done on this desktop."
    advice = "`nestor chat` and `nestor open` work everywhere."


class NoDisplay(DesktopError):
    """There is no display, or it is gone."""

    code = "no_display"
    default = "There is no display to show a window on."
    advice = "Start it in a desktop session; `nestor chat` works in any terminal."


class ExtraMissing(DesktopError):
    """A library of the extra `desktop` is not installed, or Python has no Tk. The message names it."""

    code = "extra_missing"
    default = "What the desktop's windows and keys need is not installed."
    advice = "Install it: pip install 'nestor[desktop]'."


class HotkeysUnavailable(DesktopError):
    """This desktop gives hotkeys to no program, or not to us."""

    code = "hotkeys_unavailable"
    default = "This desktop does not let programs have hotkeys."
    advice = "Bind `nestor ask toggle` to a key in your desktop's settings."


class HotkeyNotHeard(HotkeysUnavailable):
    """No real press and release of it came."""

    code = "hotkey_not_heard"
    default = "The hotkey was not heard. Nothing was changed."
    advice = "Try another one, or bind `nestor ask toggle` to a key in your desktop's settings."


class HotkeyRefused(DesktopError):
    """The combination types, is needed elsewhere, or another program has it."""

    code = "hotkey_refused"
    status = 422
    default = "This combination cannot be a hotkey."
    advice = "Choose another one: `nestor hotkey set ask ctrl+alt+space`."


class TrayNotRunning(DesktopError):
    """The program with icon, windows and hotkeys is not there."""

    code = "tray_not_running"
    default = "Nestor's icon is not running, so its windows and keys are not there."
    advice = "Start it with `nestor tray`, in your desktop session."


class TrayRunning(DesktopError):
    """It is there already; a second one would fight with it over icon and hotkeys."""

    code = "tray_running"
    status = 409
    default = "Nestor's icon is already running."
    advice = "Use its menu, or end it with `nestor tray --stop`."


class ActionFailed(DesktopError):
    """What was asked of the icon's program went wrong in a way that has no error of its own."""

    code = "action_failed"
    status = 500
    default = "That went wrong."
    advice = "Try again; if it stays so, start `nestor tray` in a terminal to see more."


def tree() -> dict[str, type[AssistantError]]:
    """Every error by its code."""
    found: dict[str, type[AssistantError]] = {}
    todo: list[type[AssistantError]] = [AssistantError]
    while todo:
        kind = todo.pop()
        if kind is not AssistantError:
            found[kind.code] = kind
        todo.extend(kind.__subclasses__())
    return found


def revive(code: str, message: str, hint: str) -> AssistantError:
    """An error that crossed a process border, as the class it was; `Internal` if unknown."""
    return tree().get(code, Internal)(message, hint)
