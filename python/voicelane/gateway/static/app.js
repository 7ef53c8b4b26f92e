/** The call: joins microphone, connection, player and what is shown. */

import { Connection } from "./connection.js";
import { Latency } from "./latency.js";
import { Microphone, SAMPLE_RATE_HZ } from "./microphone.js";
import { Player } from "./player.js";
import { pushToTalk } from "./push-to-talk.js";
import { Transcript } from "./transcript.js";
import { View } from "./view.js";
import { ending, microphoneFault, waiting } from "./wording.js";

const UNAUTHORIZED = 4401;

const view = new View();
const { elements } = view;
const transcript = new Transcript(elements.transcript, elements.scroller, (text) => view.announce(text));
const latency = new Latency((what, milliseconds) => view.latency(what, milliseconds));

let config = null;
let token = takeToken();
let isInCall = false;
let isMuted = false;
let isTalking = false;
// What holds by the gateway's word; the selects may be ahead of it.
let options = {};

const microphone = new Microphone({
  audio(buffer) {
    if (canSpeak() && (options.turn_detection !== "none" || isTalking)) connection.sendAudio(buffer);
  },
  lost() {
    tellMicrophone();
    showMicrophoneFault({ name: "NotFoundError" });
  },
});

const player = new Player({
  started: () => latency.started(),
  silent: () => latency.silent(),
  played: (played) => connection.send({ type: "played", ...played }),
});

const connection = new Connection({
  connecting() {
    view.phase("connecting");
    showMicrophone();
  },
  ready,
  message: (message) => handlers[message.type]?.(message),
  audio: (buffer) => player.write(buffer),
  waiting(closed) {
    player.close();
    view.phase("waiting", closed.delayMs);
    showMicrophone();
    view.notice("call", { ...waiting(closed), action: ["Try now", () => connection.retry()] });
  },
  ended(closed) {
    end();
    if (closed.code === UNAUTHORIZED) askForToken("The gateway did not take this token.");
    else view.notice("call", { ...ending(closed), action: ["New call", start] });
  },
});

const handlers = {
  state({ state }) {
    view.state(state);
    if (state === "user_speaking") transcript.userSpeaks();
  },
  clear({ clear }) {
    latency.interrupted();
    player.clear(clear);
  },
  transcript: (said) => transcript.said(said),
  transcript_cut: (cut) => transcript.cut(cut),
  latency: (told) => latency.answered(told.first_audio_ms),
  tool_call: (call) => transcript.toolCalled(call),
  tool_result: (result) => transcript.toolEnded(result),
  options: takeOptions,
  service({ state }) {
    if (state === "connected") view.clearNotice("service");
    else view.notice("service", { title: "The voice service was lost", text: "The gateway connects again. The call goes on." });
  },
  draining({ seconds }) {
    const text = `This call can go on for ${seconds} s, then a new one begins.`;
    view.notice("call", { kind: "info", title: "The gateway restarts soon", text });
  },
  error({ code, message }) {
    if (code === "refused") view.options(options);
    const action = ["OK", () => view.clearNotice("error")];
    view.notice("error", { title: "That did not work", text: message, action });
  },
};

function ready(message) {
  view.clearNotice("call");
  view.phase("open");
  view.state("listening");
  view.session(message);
  takeOptions(message);
  transcript.begin();
  latency.reset();
  player.open(message.output_sample_rate_hz);
  isTalking = false;
  tellMicrophone();
  view.announce("Connected");
  // Else the space bar, which is to be held now, ends the call.
  if (document.activeElement === elements.call) elements.talk.focus();
}

function takeOptions({ voice, turn_detection }) {
  options = { voice, turn_detection };
  view.options(options);
  showMicrophone();
}

async function start() {
  if (config === null && !(await loadConfig())) return;
  if (config.token_required && !token) {
    askForToken("The gateway asks for one.");
    return;
  }
  view.clearNotice("call");
  isInCall = true;
  view.phase("connecting");
  view.meters(() => (isInCall ? { user: microphone.analyser, agent: player.analyser } : null));
  await useMicrophone();
  if (isInCall) connection.open(hello);
}

function hello() {
  return {
    token: token ?? undefined,
    input_sample_rate_hz: SAMPLE_RATE_HZ,
    voice: elements.voice.value,
    turn_detection: elements["turn-detection"].value,
  };
}

function end() {
  isInCall = false;
  connection.close();
  microphone.close();
  player.close();
  view.phase("idle");
  showMicrophone();
}

async function useMicrophone() {
  try {
    await microphone.open();
    if (!isInCall) microphone.close();
    view.clearNotice("microphone");
  } catch (error) {
    showMicrophoneFault(error);
  }
  tellMicrophone();
}

function showMicrophoneFault(error) {
  view.notice("microphone", { ...microphoneFault(error), action: ["Try again", useMicrophone] });
}

function canSpeak() {
  return isInCall && microphone.isOpen && !isMuted;
}

/** To the gateway a call without a microphone is one that is muted. */
function tellMicrophone() {
  microphone.mute(isMuted);
  connection.send({ type: "mute", muted: !canSpeak() });
  showMicrophone();
}

function showMicrophone() {
  const { isReady } = connection;
  view.microphone({ isInCall, isReady, isMissing: !microphone.isOpen, isMuted, canSpeak: canSpeak() });
}

function toggleMute() {
  if (!isInCall) return;
  if (!microphone.isOpen) {
    useMicrophone();
    return;
  }
  isMuted = !isMuted;
  tellMicrophone();
}

function interrupt() {
  if (elements.stop.disabled) return;
  latency.interrupted();
  connection.send({ type: "interrupt" });
}

function changeOptions() {
  const { voice, turn_detection } = hello();
  connection.send({ type: "options", voice, turn_detection });
}

function askForToken(text) {
  elements["token-text"].textContent = text;
  elements.token.value = "";
  elements["token-dialog"].showModal();
}

/** The token of the fragment, which is not to stay in the address bar and the history. */
function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) history.replaceState(null, "", location.pathname);
  return found;
}

async function loadConfig() {
  try {
    const answer = await fetch("/config");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    config = await answer.json();
  } catch (error) {
    const action = ["Try again", loadConfig];
    view.notice("call", { title: "The gateway does not answer", text: String(error.message), action });
    return false;
  }
  view.clearNotice("call");
  view.config(config);
  return true;
}

elements.call.addEventListener("click", () => {
  if (!isInCall) {
    start();
    return;
  }
  view.clearNotice("call");
  end();
});
elements.mute.addEventListener("click", toggleMute);
elements.stop.addEventListener("click", interrupt);
elements.voice.addEventListener("change", changeOptions);
elements["turn-detection"].addEventListener("change", changeOptions);
elements.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = elements.text.value.trim();
  if (!text || !connection.isReady) return;
  connection.send({ type: "text", text });
  elements.text.value = "";
});
elements["token-form"].addEventListener("submit", (event) => {
  event.preventDefault();
  token = elements.token.value;
  elements["token-dialog"].close();
  start();
});
elements["token-cancel"].addEventListener("click", () => elements["token-dialog"].close());
pushToTalk(elements.talk, (talking) => {
  isTalking = talking;
  if (talking && elements.orb.dataset.state === "speaking") latency.interrupted();
  connection.send({ type: "talk", talking });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !elements["token-dialog"].open) interrupt();
  if (event.key.toLowerCase() === "m" && event.ctrlKey) {
    event.preventDefault();
    toggleMute();
  }
});
window.addEventListener("online", () => {
  if (elements.connection.dataset.phase === "waiting") connection.retry();
});

loadConfig();
