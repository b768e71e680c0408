// Keys: a letter does what `?` says, except where text is typed.
const byId = (id) => document.getElementById(id);

/** Move the focus along the denials. */
function step(by) {
  const links = [...document.querySelectorAll(".denials .order a")];
  if (!links.length) {
    byId(by > 0 ? "older" : "newer")?.click();
    return;
  }
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next].focus();
}

/** Listen to the keyboard. */
export function listen({ theme }) {
  const does = {
    "/": () => byId("q").focus(),
    o: () => location.assign("/"),
    j: () => step(1),
    k: () => step(-1),
    c: () => document.querySelector("a.clear")?.click(),
    t: theme,
    "?": () => byId("help").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.key === "Escape" && event.target === byId("q")) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(does, event.key)) return;
    event.preventDefault();
    does[event.key]();
  });
}
