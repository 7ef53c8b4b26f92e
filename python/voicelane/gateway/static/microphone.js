/** The microphone: permission, 48 kHz with echo cancellation, 20 ms at a time. */

export const SAMPLE_RATE_HZ = 48_000;

export class Microphone {
  #context = null;
  #stream = null;
  #on;
  /** What a level meter looks at; null while closed. */
  analyser = null;

  /** @param on what is told: `audio(buffer)` with 16-bit samples, `lost()` when the device has gone. */
  constructor(on) {
    this.#on = on;
  }

  get isOpen() {
    return this.#stream !== null;
  }

  /** Asks for the microphone. Throws the DOMException of getUserMedia, which says why not. */
  async open() {
    if (!navigator.mediaDevices) throw new DOMException("no secure context", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
    const context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
    try {
      await context.audioWorklet.addModule("/static/microphone-worklet.js");
      const worklet = new AudioWorkletNode(context, "microphone", {
        numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
      });
      worklet.port.onmessage = ({ data }) => this.#on.audio(data);
      this.analyser = new AnalyserNode(context, { fftSize: 1024 });
      context.createMediaStreamSource(stream).connect(worklet);
      context.createMediaStreamSource(stream).connect(this.analyser);
      await context.resume();
    } catch (error) {
      stop(stream, context);
      throw error;
    }
    stream.getAudioTracks()[0].onended = () => {
      this.close();
      this.#on.lost();
    };
    this.#stream = stream;
    this.#context = context;
  }

  /** What is muted hears nothing, the meter included. */
  mute(isMuted) {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !isMuted;
  }

  close() {
    if (!this.isOpen) return;
    stop(this.#stream, this.#context);
    this.#stream = this.#context = this.analyser = null;
  }
}

function stop(stream, context) {
  for (const track of stream.getTracks()) track.stop();
  context.close();
}
