/** What the user waits for, measured to the speaker. */

export class Latency {
  #answer = null;
  #interruptedAt = null;
  #show;

  /** @param show takes `"answer"` or `"silence"`, and milliseconds. */
  constructor(show) {
    this.#show = show;
  }

  /** The gateway sent the first audio so long after the end of the user's speech. */
  answered(firstAudioMs) {
    this.#answer = { firstAudioMs, at: performance.now() };
  }

  /** The speaker sounds. */
  started() {
    this.#interruptedAt = null;
    if (this.#answer === null) return;
    const { firstAudioMs, at } = this.#answer;
    this.#answer = null;
    this.#show("answer", firstAudioMs + performance.now() - at);
  }

  /** The user asked for silence, or the gateway did. The first of them counts. */
  interrupted() {
    this.#interruptedAt ??= performance.now();
  }

  /** The speaker is silent. */
  silent() {
    if (this.#interruptedAt === null) return;
    this.#show("silence", performance.now() - this.#interruptedAt);
    this.#interruptedAt = null;
  }

  /** A new call. */
  reset() {
    this.#answer = this.#interruptedAt = null;
  }
}
