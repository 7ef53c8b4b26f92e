/** What the page says to people about what went wrong. */

const MICROPHONE = {
  NotAllowedError: ["The microphone is blocked", "Allow it in the browser's settings for this site, then try again."],
  NotFoundError: ["No microphone was found", "Connect one, then try again."],
  NotReadableError: ["The microphone is in use", "Close the other application that uses it, then try again."],
  SecurityError: ["The microphone needs https", "Open this page by https, or on localhost."],
};

const ENDINGS = {
  1000: ["The call has ended", ""],
  1009: ["The page sent too much", "This is a fault of the page. Reload it."],
  4400: ["The gateway did not understand the page", "This is a fault of the page. Reload it."],
  4403: ["This page may not call here", "The gateway does not know its origin."],
  4408: ["Time is up", ""],
  4429: ["Too much was sent", "The gateway takes audio in real time only."],
};

const LOST = ["Connection lost", "The page tries again by itself. A new call begins, with a new agent."];
const WAITING = {
  1001: ["The gateway restarts", "The page connects again by itself."],
  1011: ["The gateway had a fault", "The page tries again a few times."],
  4420: ["The network is too slow", "The page connects again by itself."],
  4502: ["The voice service cannot be reached", "The page tries again a few times."],
  4503: ["All lines are busy", "The page tries again every 10 seconds."],
};

/** Title and text for an exception of `Microphone.open`. */
export function microphoneFault({ name, message }) {
  const [title, text] = MICROPHONE[name] ?? ["The microphone does not work", message];
  return { title, text: `${text} You can write meanwhile.` };
}

/** Title and text for a call that has ended, by its close code. */
export function ending({ code, reason }) {
  const [title, text] = ENDINGS[code] ?? WAITING[code] ?? LOST;
  const isGivenUp = code in WAITING;
  return { title, text: [isGivenUp ? "Nothing helped so far." : text, sentence(reason)].filter(Boolean).join(" ") };
}

/** Title and text for a call that is tried again, by its close code. */
export function waiting({ code }) {
  const [title, text] = WAITING[code] ?? LOST;
  return { title, text };
}

export const STATES = {
  idle: "Ready when you are",
  connecting: "Connecting",
  waiting: "Trying again",
  listening: "Listening",
  user_speaking: "You are speaking",
  thinking: "Thinking",
  speaking: "The agent is speaking",
};

export const TURN_DETECTIONS = {
  server_vad: "By pauses",
  azure_semantic_vad: "By meaning",
  azure_semantic_vad_multilingual: "By meaning, many languages",
  none: "Push-to-talk",
};

function sentence(reason) {
  return reason && `${reason[0].toUpperCase()}${reason.slice(1)}.`;
}
