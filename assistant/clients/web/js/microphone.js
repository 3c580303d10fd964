// In the audio thread: what the microphone hears, as 16-bit samples, a tenth of a second at a time.

const SAMPLES = 1_600;

class Microphone extends AudioWorkletProcessor {
  piece = new Int16Array(SAMPLES);
  filled = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.piece[this.filled++] = Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
      if (this.filled === SAMPLES) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.piece = new Int16Array(SAMPLES);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
