/** The websocket of a call: its first message, its liveness, and when to try again. */

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8000;
const FULL_DELAY_MS = 10_000;
const GOING_AWAY = 1001;
const LOST = 1006;
const INTERNAL = 1011;
const NOT_READING = 4420;
const NO_SERVICE = 4502;
const FULL = 4503;
// How often a new call is tried, by close code; what is not here ends the call.
const TRIES = new Map([
  [GOING_AWAY, Infinity], [LOST, Infinity], [NOT_READING, Infinity], [FULL, Infinity], [INTERNAL, 5], [NO_SERVICE, 5],
]);
// A call that lasted so long worked: the next loss begins with the first delay again.
const LASTING_MS = 10_000;
const WATCH_MS = 8000;
// A second of audio: what waits longer would come as a flood, which the gateway refuses.
const MAX_WAITING_BYTES = 96_000;

export class Connection {
  #socket = null;
  #hello = null;
  #tries = 0;
  #readyAt = Infinity;
  #heardAt = 0;
  #pingedAt = 0;
  #timer = 0;
  #on;

  /**
   * @param on what is told: `connecting()`, `ready(message)`, `message(message)`, `audio(buffer)`,
   *   `waiting({code, reason, delayMs})` before a new call is tried, `ended({code, reason})`.
   */
  constructor(on) {
    this.#on = on;
  }

  /** Begins a call; `hello` returns the fields of its first message. */
  open(hello) {
    this.close();
    this.#hello = hello;
    this.#tries = 0;
    this.#connect();
  }

  /** Ends the call. Nothing is told of it. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#readyAt = Infinity;
    socket?.close(1000);
  }

  /** Tries a new call now rather than later. */
  retry() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  get isReady() {
    return this.#readyAt < Infinity && this.#socket.readyState === WebSocket.OPEN;
  }

  send(message) {
    if (this.isReady) this.#socket.send(JSON.stringify(message));
  }

  sendAudio(buffer) {
    if (this.isReady && this.#socket.bufferedAmount < MAX_WAITING_BYTES) this.#socket.send(buffer);
  }

  #connect() {
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#readyAt = Infinity;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", protocol: 1, ...this.#hello() }));
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    };
    this.#on.connecting();
  }

  #take(data) {
    this.#heardAt = performance.now();
    if (typeof data !== "string") {
      this.#on.audio(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "ready") {
      this.#readyAt = performance.now();
      this.#timer = setTimeout(() => this.#watch(), WATCH_MS);
      this.#pingedAt = 0;
      this.#on.ready(message);
    } else {
      this.#on.message(message);
    }
  }

  /** Gives up a connection on which nothing came since the last ping. */
  #watch() {
    if (this.#heardAt < this.#pingedAt) {
      const socket = this.#socket;
      this.#closed(LOST, "the gateway does not answer");
      socket.close();
      return;
    }
    this.#pingedAt = performance.now();
    this.send({ type: "ping", id: 1 });
    this.#timer = setTimeout(() => this.#watch(), WATCH_MS);
  }

  #closed(code, reason) {
    clearTimeout(this.#timer);
    if (performance.now() - this.#readyAt > LASTING_MS) this.#tries = 0;
    this.#socket = null;
    this.#readyAt = Infinity;
    this.#tries += 1;
    if (this.#tries > (TRIES.get(code) ?? 0)) {
      this.#on.ended({ code, reason });
      return;
    }
    const delayMs = this.#delayMs(code);
    this.#timer = setTimeout(() => this.#connect(), delayMs);
    this.#on.waiting({ code, reason, delayMs });
  }

  #delayMs(code) {
    if (code === FULL) return FULL_DELAY_MS;
    if (code === GOING_AWAY && this.#tries === 1) return 0;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#tries - 1));
    return longest * (0.5 + 0.5 * Math.random());
  }
}
