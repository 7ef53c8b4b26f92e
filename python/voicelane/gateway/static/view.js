/** The page's elements: shows what it is told, knows nothing of why. */

import { STATES, TURN_DETECTIONS } from "./wording.js";

const QUIETEST_DB = -55;
const IN_CALL = ["connecting", "open", "waiting"];

export class View {
  #noticeTopic = null;
  #countdown = 0;
  #elements = new Proxy({}, { get: (_, id) => document.getElementById(id) });

  get elements() {
    return this.#elements;
  }

  /** What the gateway offers. */
  config({ is_simulator, voices, turn_detections, max_text_characters, ...chosen }) {
    const { simulator, voice, text } = this.#elements;
    simulator.hidden = !is_simulator;
    voice.replaceChildren(...voices.map((name) => new Option(voiceLabel(name), name)));
    this.#elements["turn-detection"].replaceChildren(
      ...turn_detections.map((name) => new Option(TURN_DETECTIONS[name] ?? name, name)),
    );
    text.maxLength = max_text_characters;
    this.options(chosen);
  }

  /** What holds for the call. */
  options({ voice, turn_detection }) {
    this.#elements.voice.value = voice;
    this.#elements["turn-detection"].value = turn_detection;
    this.#elements.talk.hidden = turn_detection !== "none";
  }

  /** `idle`, `connecting`, `open`, or `waiting` for `delayMs`. */
  phase(phase, delayMs = 0) {
    const { connection, call, text, send, session } = this.#elements;
    clearInterval(this.#countdown);
    connection.dataset.phase = phase;
    const labels = { idle: "Not connected", connecting: "Connecting…", open: "Connected" };
    connection.textContent = labels[phase] ?? "";
    const isInCall = IN_CALL.includes(phase);
    call.textContent = isInCall ? "End call" : "Start call";
    call.classList.toggle("primary", !isInCall);
    // What is being written keeps its focus while the connection comes back.
    text.disabled = !isInCall;
    send.disabled = phase !== "open";
    if (phase !== "open") {
      session.textContent = "none";
      this.state(phase);
    }
    if (phase === "waiting") this.#countDown(delayMs);
  }

  /** A state of the call: what the agent and the user are doing. */
  state(state) {
    const { orb, state: title, stop } = this.#elements;
    if (orb.dataset.state === state) return;
    orb.dataset.state = state;
    title.textContent = STATES[state] ?? state;
    stop.disabled = state !== "speaking" && state !== "thinking";
  }

  session({ session_id }) {
    this.#elements.session.textContent = session_id ?? "none";
  }

  /** `isReady`: the gateway listens; `canSpeak`: to a microphone that is not muted. */
  microphone({ isInCall, isReady, isMissing, isMuted, canSpeak }) {
    const { mute, talk, hint } = this.#elements;
    mute.disabled = !isInCall;
    mute.textContent = isMissing && isInCall ? "Use microphone" : isMuted ? "Unmute" : "Mute";
    mute.classList.toggle("muted", isMuted);
    talk.disabled = !(isReady && canSpeak);
    hint.textContent = microphoneHint({ isInCall, isReady, isMissing, isMuted, isPushToTalk: !talk.hidden });
  }

  /** Tells of something, in the place of what was told before. `action` is `[label, run]`. */
  notice(topic, { kind = "warning", title, text, action }) {
    const { notice, "notice-title": head, "notice-text": body, "notice-action": button } = this.#elements;
    this.#noticeTopic = topic;
    notice.dataset.kind = kind;
    head.textContent = title;
    body.textContent = text;
    button.hidden = !action;
    [button.textContent, button.onclick] = action ?? ["", null];
    notice.hidden = false;
  }

  /** Takes back what was told of that topic. */
  clearNotice(topic) {
    if (topic === this.#noticeTopic) this.#elements.notice.hidden = true;
  }

  latency(what, milliseconds) {
    this.#elements[`${what}-ms`].textContent = `${Math.round(milliseconds)} ms`;
  }

  announce(text) {
    this.#elements.announcer.textContent = text;
  }

  /** Draws the levels of what `analysers` returns, as long as it returns any. */
  meters(analysers) {
    const { "user-level": user, "agent-level": agent, orb } = this.#elements;
    const draw = () => {
      const found = analysers();
      const [userLevel, agentLevel] = [found?.user, found?.agent].map(level);
      user.style.setProperty("--level", userLevel);
      agent.style.setProperty("--level", agentLevel);
      orb.style.setProperty("--level", Math.max(userLevel, agentLevel));
      if (found) requestAnimationFrame(draw);
    };
    draw();
  }

  #countDown(delayMs) {
    const { connection } = this.#elements;
    const until = performance.now() + delayMs;
    const show = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      connection.textContent = seconds > 0 ? `Trying again in ${seconds} s` : "Trying again…";
    };
    show();
    this.#countdown = setInterval(show, 250);
  }
}

function microphoneHint({ isInCall, isReady, isMissing, isMuted, isPushToTalk }) {
  if (!isInCall) return "Your microphone is on during the call only.";
  if (!isReady) return "One moment.";
  if (isMissing) return "No microphone. Write to the agent.";
  if (isMuted) return "You are muted.";
  return isPushToTalk ? "Hold the button, or Space, while you speak." : "Speak whenever you like.";
}

/** "Ava (en-US)" from "en-US-AvaNeural". */
function voiceLabel(name) {
  const found = /^([a-z]+-[A-Z]+)-(\w+?)(?:Multilingual)?Neural$/.exec(name);
  return found ? `${found[2]} (${found[1]})` : name;
}

/** From 0 (silent) to 1 (full scale), even in decibels. */
function level(analyser) {
  if (!analyser) return 0;
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB);
}
