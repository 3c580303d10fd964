"""What is said is heard: real voices, the real recogniser, OpenAI's own client."""

import json
import os
import resource
import signal
import sys
import threading
import time

import httpx
import numpy as np
import openai
import pytest
from speech import sounds
from speech.words import wer

from assistant.config import LIMITS
from assistant.speech.encode import encoder

pytestmark = [pytest.mark.model, pytest.mark.slow]

EN = "Please remind me to buy milk and bread tomorrow morning."
FR = "Je voudrais envoyer un message à mon frère."
LONG = (
    "The train to the coast leaves at seven in the morning.",
    "We should pack warm clothes, because the wind can be strong.",
    "My sister will meet us at the station with her new car.",
    "After lunch we can walk along the beach to the old lighthouse.",
    "In the evening there is a concert in the small church.",
    "The hotel is on the main street, next to the library.",
)


def test_english_comes_back(say, hear):
    heard = hear(sounds.wav(say(EN)))
    assert wer(EN, heard.text) <= 0.1
    assert heard.language == "en"
    assert heard.duration == pytest.approx(len(say(EN)) / 16_000, abs=0.05)
    (segment,) = heard.segments
    assert 0 <= segment.start < segment.end <= heard.duration
    assert segment.avg_logprob > -1


def test_french_comes_back_by_the_voice_of_espeak(say, hear):
    heard = hear(sounds.wav(say(FR, "fr")), language="fr")
    assert wer(FR, heard.text, "fr") <= 0.2
    assert heard.language == "fr"


@pytest.mark.parametrize("form", ["wav", "mp3", "opus", "aac", "flac"])
def test_every_format_is_spoken_and_heard(client, hear, form):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=EN, response_format=form
    ) as answer:
        assert answer.headers["content-type"].startswith("audio/")
        sound = b"".join(answer.iter_bytes())
    assert wer(EN, hear(sound, f"a.{form}").text) <= 0.1


def test_speed_is_speed(client):
    def length(speed):
        made = client.audio.speech.create(
            model="default", voice="default", input=EN, response_format="pcm", speed=speed
        )
        return len(made.content)

    assert length(0.75) > 1.2 * length(1.0) > 1.5 * length(1.7)


def test_sound_comes_sentence_by_sentence(daemon):
    """What comes first is the first sentence, not the whole."""

    def pieces(text):
        body = {"input": text, "response_format": "pcm"}
        with daemon.api.stream("POST", "/v1/audio/speech", json=body) as answer:
            assert answer.status_code == 200
            assert "content-length" not in answer.headers
            return [len(piece) for piece in answer.iter_raw()]

    alone, together = sum(pieces(LONG[0])), pieces(" ".join(LONG))
    assert len(together) > 1
    assert together[0] <= alone < sum(together) / 4


@pytest.mark.parametrize(
    "sound",
    [
        sounds.silence(5), sounds.silence(0.05), sounds.noise(6), sounds.noise(4, 0.3),
        sounds.pink(8, 0.1), sounds.tone(5), sounds.clicks(6),
    ],
    ids=["silence", "almost nothing", "hiss", "loud hiss", "room", "tone", "keys"],
)  # fmt: skip
def test_where_nobody_speaks_there_is_no_text(hear, sound):
    heard = hear(sounds.wav(sound))
    assert heard.text == ""
    assert heard.segments == []


def test_in_noise_and_among_silence(say, hear):
    clean = say(EN)
    power = np.sqrt(np.mean(clean.astype(float) ** 2)) / 32768
    loud = sounds.pink(len(clean) / 16_000 + 1, power / 10 ** (10 / 20))  # 10 dB below the voice
    mixed = np.clip(loud[: len(clean)].astype(int) + clean, -32768, 32767)
    assert wer(EN, hear(sounds.wav(mixed)).text) <= 0.2
    apart = np.concatenate([sounds.silence(8), clean, sounds.silence(12)])
    heard = hear(sounds.wav(apart))
    assert wer(EN, heard.text) <= 0.1
    assert 7.5 < heard.segments[0].start < 9
    assert heard.segments[-1].end < 8 + len(clean) / 16_000 + 0.6


def test_a_stereo_recording_of_a_phone(say, hear):
    quick = np.interp(
        np.arange(0, len(say(EN)) - 1, 16_000 / 44_100), np.arange(len(say(EN))), say(EN)
    )
    both = np.stack([quick, quick * 0.6], axis=1).astype("<i2")
    assert wer(EN, hear(sounds.wav(both, 44_100, channels=2)).text) <= 0.1


def test_a_long_recording_is_whole_and_in_order(say, hear):
    pause = sounds.silence(1.2)
    parts = [part for sentence in LONG * 3 for part in (say(sentence), pause)]
    heard = hear(sounds.wav(np.concatenate(parts)))
    assert heard.duration > 60
    assert wer(" ".join(LONG * 3), heard.text) <= 0.08
    starts = [segment.start for segment in heard.segments]
    assert starts == sorted(starts)
    assert heard.segments[-1].end <= heard.duration


def test_speech_without_any_pause_longer_than_a_window(say, hear):
    whole = np.concatenate([say(sentence)[2000:-2500] for sentence in LONG * 2])
    assert wer(" ".join(LONG * 2), hear(sounds.wav(whole)).text) <= 0.2


class TestCutFiles:
    def test_a_wav_gives_what_is_there(self, say, hear):
        data = sounds.wav(np.concatenate([say(LONG[0]), say(LONG[1])]))
        heard = hear(data[: 44 + 2 * len(say(LONG[0]))]).text
        assert wer(LONG[0], heard) <= 0.2

    @pytest.mark.parametrize("form", ["mp3", "opus", "flac"])
    def test_others_too(self, client, hear, form):
        made = client.audio.speech.create(
            model="default", voice="default", input=" ".join(LONG[:2]), response_format=form
        ).content
        heard = hear(made[: len(made) * 3 // 4], f"a.{form}").text
        assert wer(LONG[0], heard[: len(LONG[0]) + 4]) <= 0.3

    @pytest.mark.parametrize("length", [1, 12, 44])
    def test_a_head_alone_is_refused(self, hear, length):
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            hear(sounds.wav(sounds.tone(1))[:length])
        assert refused.value.code == "audio_invalid"


PLAYLIST = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
HOSTILE = {
    "text": b"hello, this is not a recording " * 40,
    "playlist": PLAYLIST,
    "playlist with a mask": b"RIFF" + PLAYLIST,
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "zip": b"PK\x03\x04" + bytes(300),
    "ogg noise": b"OggS" + os.urandom(9000),
    "flac noise": b"fLaC" + os.urandom(9000),
    "matroska noise": b"\x1a\x45\xdf\xa3" + os.urandom(9000),
    "mov noise": b"\0\0\0\x20ftypM4A " + os.urandom(9000),
    "huge wav": b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\xff\xff\xff\xff\xff\xff" + bytes(99),
    "zeros": bytes(5000),
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused(hear, data):
    with pytest.raises(openai.APIStatusError) as refused:
        hear(data)
    assert refused.value.status_code == 422
    assert refused.value.code == "audio_invalid"


def test_a_recording_longer_than_the_limit(hear):
    coder, minute = encoder("flac", 16_000), sounds.silence(60)
    data = b"".join(coder.feed(minute) for _ in range(LIMITS.audio_s // 60 + 1)) + coder.end()
    assert len(data) < LIMITS.audio_bytes
    with pytest.raises(openai.APIStatusError) as refused:
        hear(data, "a.flac")
    assert (refused.value.status_code, refused.value.code) == (413, "audio_too_long")


def test_a_body_over_the_limit_is_not_read(daemon):
    answer = daemon.api.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", bytes(LIMITS.audio_bytes))}
    )
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"language": "xx"}, 422, "invalid_input"),
        ({"language": "english"}, 422, "invalid_input"),
        ({"model": "other"}, 404, "model_not_found"),
        ({"response_format": "srt"}, 400, "unsupported_parameter"),
        ({"temperature": "0.7"}, 400, "unsupported_parameter"),
        ({"timestamp_granularities[]": "word"}, 400, "unsupported_parameter"),
        ({"stream": "true"}, 400, "unsupported_parameter"),
        ({"prompt": "x" * 3000}, 413, "text_too_long"),
    ],
)
def test_fields_that_cannot_be_honoured(daemon, fields, status, code):
    answer = daemon.api.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", sounds.wav(sounds.silence(1)))},
        data=fields,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_forms_go_nowhere_else_and_nothing_else_goes_here(daemon):
    for path in ("/v1/audio/speech", "/api/v1/memories", "/v1/embeddings"):
        answer = daemon.api.post(path, files={"file": ("a.wav", b"x")})
        assert answer.json()["error"]["code"] == "unsupported_media_type"
    answer = daemon.api.post("/v1/audio/transcriptions", json={"file": "x"})
    assert answer.status_code == 415
    answer = daemon.api.post("/v1/audio/transcriptions", data={"model": "default"})
    assert answer.status_code == 415  # urlencoded
    answer = daemon.api.post("/v1/audio/transcriptions", files={"other": ("a.wav", b"x")})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"input": "hi", "voice": "nobody"}, 404),
        ({"input": "hi", "voice": "-w/tmp/x"}, 404),
        ({"input": "  \n"}, 422),
        ({"input": "*** --- ```"}, 422),
        ({"input": "x" * 5000}, 413),
        ({"input": "hi", "speed": 9}, 422),
        ({"input": "hi", "response_format": "ogg"}, 422),
        ({"input": "hi", "model": "other"}, 404),
        ({"input": "hi", "stream_format": "sse"}, 400),
    ],
)
def test_what_cannot_be_spoken(daemon, body, status):
    answer = daemon.api.post("/v1/audio/speech", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["hint"]


def test_the_plain_forms(client, say):
    file = ("a.wav", sounds.wav(say(EN)))
    text = client.audio.transcriptions.create(model="whisper-1", file=file, response_format="text")
    assert wer(EN, str(text)) <= 0.1
    brief = client.audio.transcriptions.create(model="whisper-base", file=file)
    assert wer(EN, brief.text) <= 0.1


def child(daemon) -> dict:
    children = daemon.api.get("/api/v1/status").json()["children"]
    return next(one for one in children if one["name"] == "speech")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_recording_that_kills_its_decoder_costs_the_child_alone(daemon, hear, say):
    """The child dies while it decodes, as a fault in native code would have it."""
    data = sounds.wav(np.tile(sounds.pink(60, 0.1), 12))
    hear(sounds.wav(say(EN)))
    before, codes = child(daemon), []

    def ask():
        answer = daemon_client.post("/v1/audio/transcriptions", files={"file": ("a.wav", data)})
        codes.append((answer.status_code, answer.json()["error"]["code"]))

    with httpx.Client(
        base_url=daemon.url, headers={"Authorization": f"Bearer {daemon.token}"}, timeout=60
    ) as daemon_client:
        os.kill(before["pid"], signal.SIGSTOP)  # so that it cannot have decoded before it dies
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        os.kill(before["pid"], signal.SIGSEGV)
        os.kill(before["pid"], signal.SIGCONT)
        asking.join()
    assert codes == [(422, "audio_invalid")]
    assert daemon.api.get("/health").json()["status"] == "ok"
    assert wer(EN, hear(sounds.wav(say(EN))).text) <= 0.1
    after = child(daemon)
    assert after["pid"] != before["pid"]
    assert after["crashes"] == before["crashes"] + 1


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
def test_a_recording_is_never_written_to_disk(daemon, hear, say, tmp_path):
    """No file of more than 1 MB can be written by the daemon or its child, and none appears."""
    most = (1 << 20, 1 << 20)
    for pid in (daemon.process.pid, child(daemon)["pid"]):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, most)
    before = files(daemon.home)
    voice = say(LONG[2])
    data = sounds.wav(np.concatenate([voice, np.tile(sounds.pink(30, 0.02), 20)]))
    assert len(data) > 15 << 20
    assert wer(LONG[2], hear(data).text) <= 0.2
    assert files(daemon.home) == before
    marks = [voice[at : at + 64].tobytes() for at in range(4000, 40_000, 4000)]
    for path in daemon.home.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert not any(mark in held for mark in marks), path


def files(folder) -> set:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_what_was_said_is_not_in_the_log(daemon, hear, say):
    hear(sounds.wav(say(EN)))
    log = (daemon.home / "state/daemon.log").read_text() + daemon.output()
    assert "milk" not in log
    assert json.dumps(EN) not in log
