/**
 * Plays what comes, behind a jitter buffer. Positions are frames on one axis that only grows:
 * `#start` is the last clear, `#read` the play head, `#written` the end of what came.
 */

const JITTER_S = 0.06;
const CAPACITY_S = 4;
const FADE_S = 0.01;
const REPORT_S = 0.1;

class Player extends AudioWorkletProcessor {
  #ring = new Float32Array(CAPACITY_S * sampleRate);
  #start = 0;
  #read = 0;
  #written = 0;
  #isPlaying = false;
  #waitedFrames = 0;
  #unreportedFrames = 0;
  #clear = 0;
  #fade = new Float32Array(0);

  constructor() {
    super();
    this.port.onmessage = ({ data }) => (data instanceof ArrayBuffer ? this.#write(data) : this.#drop(data));
  }

  process(_inputs, [[output]]) {
    const left = this.#written - this.#read;
    if (!this.#isPlaying && left > 0) this.#wait(left, output.length);
    if (this.#isPlaying) this.#play(output);
    const faded = this.#fade.subarray(0, output.length);
    for (let i = 0; i < faded.length; i++) output[i] += faded[i];
    if (faded.length > 0) {
      this.#fade = this.#fade.subarray(faded.length);
      if (this.#fade.length === 0) this.port.postMessage({ type: "silent" });
    }
    return true;
  }

  #write(buffer) {
    for (const sample of new Int16Array(buffer)) {
      this.#ring[this.#written++ % this.#ring.length] = sample / 32768;
    }
    this.#read = Math.max(this.#read, this.#written - this.#ring.length);
  }

  /** Starts once there is enough to stand the network's jitter, or no more comes: it was a short sound. */
  #wait(left, frames) {
    this.#waitedFrames += frames;
    const enough = JITTER_S * sampleRate;
    if (left < enough && this.#waitedFrames < enough) return;
    this.#isPlaying = true;
    this.port.postMessage({ type: "started" });
  }

  #play(output) {
    const frames = Math.min(output.length, this.#written - this.#read);
    for (let i = 0; i < frames; i++) output[i] = this.#ring[this.#read++ % this.#ring.length];
    this.#unreportedFrames += frames;
    if (this.#read === this.#written) {
      this.#isPlaying = false;
      this.#waitedFrames = 0;
      this.#report();
    } else if (this.#unreportedFrames >= REPORT_S * sampleRate) {
      this.#report();
    }
  }

  #report() {
    this.#unreportedFrames = 0;
    const frames = this.#read - this.#start;
    this.port.postMessage({ type: "played", clear: this.#clear, frames, isPlaying: this.#isPlaying });
  }

  /** Lets nothing more be heard than a fade, so that it does not click. */
  #drop(clear) {
    if (this.#isPlaying) {
      const frames = Math.min(FADE_S * sampleRate, this.#written - this.#read);
      this.#fade = Float32Array.from({ length: frames }, (_, i) => {
        return this.#ring[(this.#read + i) % this.#ring.length] * (1 - i / frames);
      });
    }
    this.#clear = clear;
    this.#read = this.#start = this.#written;
    this.#isPlaying = false;
    this.#waitedFrames = this.#unreportedFrames = 0;
  }
}

registerProcessor("player", Player);
