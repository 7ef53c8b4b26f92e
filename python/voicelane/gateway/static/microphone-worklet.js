/** Cuts what the microphone hears into messages of 20 ms, as 16-bit samples. */

class Microphone extends AudioWorkletProcessor {
  #samples = new Int16Array(sampleRate / 50);
  #filled = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.#samples[this.#filled++] = Math.round(clipped * 32767);
      if (this.#filled === this.#samples.length) {
        const { buffer } = this.#samples;
        this.#samples = new Int16Array(sampleRate / 50);
        this.#filled = 0;
        this.port.postMessage(buffer, [buffer]);
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
