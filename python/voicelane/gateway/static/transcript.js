/** What was said, and the tools that ran, in order. */

/** How much is kept: an hour of talk. */
const MOST_LINES = 1000;
const SPEAKERS = { user: "You", agent: "Agent" };

export class Transcript {
  #list;
  #scroller;
  #announce;
  #lines = new Map();
  // Where the user's next text belongs: it may come later than the answer to it.
  #place = null;

  /** @param announce takes what a screen reader is to say. */
  constructor(list, scroller, announce) {
    this.#list = list;
    this.#scroller = scroller;
    this.#announce = announce;
  }

  /** A new call: its ids begin again. What was said before stays. */
  begin() {
    this.#lines.clear();
    this.#forgetPlace();
    if (this.#list.childElementCount > 0) {
      this.#append(element("li", "divider", "New call. The agent does not know what was said before."));
    }
  }

  /** The user begins to speak; what was said is told later. */
  userSpeaks() {
    this.#forgetPlace();
    this.#place = textLine("user");
    this.#append(this.#place);
  }

  said({ id, role, text, is_final: isFinal }) {
    const line = this.#line(`text ${id}`, () => {
      const place = role === "user" ? this.#place : null;
      if (place) this.#place = null;
      return place ?? textLine(role);
    });
    // What still comes of a text that was cut is what would have been said.
    if (line.classList.contains("cut")) return;
    line.classList.toggle("partial", !isFinal);
    this.#show(line, text);
    if (isFinal) this.#announce(`${SPEAKERS[role] ?? role}: ${text}`);
  }

  /** The agent was cut off: so much of that text was heard. */
  cut({ id, text }) {
    const line = this.#lines.get(`text ${id}`);
    if (!line) return;
    if (!line.classList.contains("cut")) {
      line.classList.remove("partial");
      line.classList.add("cut");
      line.querySelector(".speaker").append(element("span", "tag", "interrupted"));
    }
    this.#show(line, `${text} …`.trim());
  }

  toolCalled({ id, name, arguments: text }) {
    const line = this.#line(`tool ${id}`, () => element("li", "tool running"));
    const details = element("details");
    const summary = element("summary");
    summary.append(element("code", "", name), element("span", "tag", "running"));
    details.append(summary, element("pre", "", pretty(text)));
    this.#keepEnd(() => line.replaceChildren(details));
    this.#announce(`Tool ${name} runs`);
  }

  toolEnded({ id, output, is_error: isError, duration_ms: durationMs }) {
    const line = this.#lines.get(`tool ${id}`);
    if (!line) return;
    line.classList.remove("running");
    line.classList.toggle("failed", isError);
    line.querySelector(".tag").textContent = isError ? "failed" : `${durationMs} ms`;
    this.#keepEnd(() => line.querySelector("details").append(element("pre", "", pretty(output))));
  }

  #show(line, text) {
    this.#keepEnd(() => (line.querySelector("p").textContent = text));
  }

  #line(key, make) {
    if (!this.#lines.has(key)) {
      const line = make();
      this.#lines.set(key, line);
      if (!line.isConnected) this.#append(line);
    }
    return this.#lines.get(key);
  }

  #forgetPlace() {
    this.#place?.remove();
    this.#place = null;
  }

  #append(item) {
    this.#keepEnd(() => this.#list.append(item));
    if (this.#list.childElementCount > MOST_LINES) this.#forget(this.#list.firstElementChild);
  }

  #forget(item) {
    item.remove();
    for (const [key, line] of this.#lines) {
      if (line === item) this.#lines.delete(key);
    }
  }

  /** Stays at the end, unless the reader has scrolled away from it. */
  #keepEnd(change) {
    const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
    const wasAtEnd = scrollTop + clientHeight > scrollHeight - 40;
    change();
    if (wasAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function textLine(role) {
  const line = element("li", `line ${role} partial`);
  line.append(element("span", "speaker", SPEAKERS[role] ?? role), element("p"));
  return line;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** JSON with spaces; what is none, as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
