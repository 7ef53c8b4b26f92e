/** A button that is held, by pointer or key, and the space bar wherever it means nothing else. */

const TAKES_KEYS = "input, select, textarea, button, summary, a";

/** Calls `talk(true)` and `talk(false)`, each only after the other. */
export function pushToTalk(button, talk) {
  let isTalking = false;
  const change = (talking) => {
    if (talking === isTalking || (talking && (button.disabled || button.hidden))) return;
    isTalking = talking;
    button.setAttribute("aria-pressed", String(talking));
    talk(talking);
  };
  const isMine = (event) =>
    event.target === button
      ? event.key === " " || event.key === "Enter"
      : event.key === " " && !button.hidden && !event.target.closest(TAKES_KEYS);

  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    change(true);
  });
  for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, () => change(false));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (!isMine(event)) return;
    event.preventDefault();
    change(true);
  });
  document.addEventListener("keyup", (event) => isMine(event) && change(false));
  window.addEventListener("blur", () => change(false));
}
