/** The agent's voice: a worklet at the rate of what comes, and what was heard of it. */

export class Player {
  #context = null;
  #worklet = null;
  #on;
  /** What a level meter looks at; null while closed. */
  analyser = null;

  /**
   * @param on what is told: `started()` and `silent()` (cut off by a clear) when it is so in the speaker,
   *   `played({clear, frames})` of what was heard since that clear.
   */
  constructor(on) {
    this.#on = on;
  }

  /** Makes ready for a new call, whose audio comes at that rate. */
  open(sampleRateHz) {
    this.close();
    this.#context = new AudioContext({ sampleRate: sampleRateHz, latencyHint: "interactive" });
    this.#worklet = this.#start(this.#context);
    return this.#worklet;
  }

  /** In the order of the calls, also of those that come while the worklet is loaded. */
  async write(buffer) {
    (await this.#worklet)?.port.postMessage(buffer, [buffer]);
  }

  /** Falls silent at once; `clear` is the number that what comes next is counted by. */
  async clear(clear) {
    (await this.#worklet)?.port.postMessage(clear);
  }

  close() {
    this.#context?.close();
    this.#context = this.#worklet = this.analyser = null;
  }

  async #start(context) {
    await context.audioWorklet.addModule("/static/player-worklet.js");
    if (context !== this.#context) return null;
    const worklet = new AudioWorkletNode(context, "player", {
      numberOfInputs: 0, outputChannelCount: [1],
    });
    worklet.port.onmessage = ({ data }) => context === this.#context && this.#told(data);
    this.analyser = new AnalyserNode(context, { fftSize: 1024 });
    worklet.connect(this.analyser).connect(context.destination);
    await context.resume();
    return worklet;
  }

  #told(message) {
    const latencyS = this.#context.outputLatency ?? 0;
    if (message.type === "played") {
      // At the end of what there is all of it is as good as heard.
      const inFlight = message.isPlaying ? Math.round(latencyS * this.#context.sampleRate) : 0;
      this.#on.played({ clear: message.clear, frames: Math.max(0, message.frames - inFlight) });
    } else {
      setTimeout(() => this.#on[message.type](), latencyS * 1000);
    }
  }
}
