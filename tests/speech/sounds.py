"""Recordings to be heard: made here, from samples."""

from __future__ import annotations

import io
import wave

import numpy as np

RATE = 16_000


def wav(samples, rate: int = RATE, channels: int = 1) -> bytes:
    """16-bit samples as a whole WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return out.getvalue()


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


def noise(seconds: float, level: float = 0.05, seed: int = 1) -> np.ndarray:
    """White noise; `level` is its standard deviation, 1 is the loudest sample there is."""
    random = np.random.default_rng(seed)
    return _samples(random.normal(0, level, int(seconds * RATE)))


def pink(seconds: float, level: float = 0.05, seed: int = 2) -> np.ndarray:
    """Noise like a room's: as much of it in each octave."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(random.normal(0, 1, count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    sound = np.fft.irfft(spectrum, count)
    return _samples(sound / sound.std() * level)


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return _samples(np.sin(2 * np.pi * hertz * at) * level)


def clicks(seconds: float, each_s: float = 0.4) -> np.ndarray:
    """A keyboard, roughly: bursts of 8 ms."""
    sound = np.zeros(int(seconds * RATE))
    random = np.random.default_rng(3)
    for begin in range(0, len(sound) - 200, int(each_s * RATE)):
        sound[begin : begin + 128] = random.normal(0, 0.3, 128)
    return _samples(sound)


def resampled(samples, rate: int, wanted: int = RATE) -> np.ndarray:
    """Linear: good enough for speech that is to be understood."""
    at = np.arange(0, len(samples) - 1, rate / wanted)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.int16)


def _samples(sound) -> np.ndarray:
    return (np.clip(sound, -1, 1) * 32767).astype(np.int16)
