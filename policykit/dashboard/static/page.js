// What the page does beyond what the server wrote: live updates, charts, keys. Without it everything is still there.
import { draw } from "./charts.js";
import { follow, remember } from "./live.js";
import { listen } from "./keys.js";

const byId = (id) => document.getElementById(id);

/** Say local time on hover; the page itself is in UTC. */
function times(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) time.title = `${at.toLocaleString()} where you are; ${time.dateTime}`;
  }
}

/** Make what came from the server work: buttons that copy, filters that apply at once, times, charts. */
export function enliven(within) {
  times(within);
  for (const button of within.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "copied";
      } catch {
        button.textContent = "not copied";
      }
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  }
  const filters = within.matches?.("form.filters") ? within : within.querySelector("form.filters");
  if (filters) {
    filters.addEventListener("change", () => filters.requestSubmit());
    filters.addEventListener("submit", (event) => {
      event.preventDefault();
      const query = new URLSearchParams();
      for (const [name, value] of new FormData(filters)) if (value) query.set(name, value);
      location.assign(`/?${query}`);
    });
  }
  for (const box of within.querySelectorAll("[data-chart]")) draw(box);
}

/** Switch between light and dark, and remember it in this browser. */
function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("policykit-theme", root.dataset.theme);
  } catch {
    // it lasts as long as this page
  }
  redraw();
}

/** Draw every chart again, in the colours that are in force now. */
function redraw() {
  for (const box of document.querySelectorAll("[data-chart]")) draw(box);
}

document.documentElement.classList.add("scripted");
for (const name of ["theme", "keys"]) byId(name).hidden = false;
byId("theme").addEventListener("click", turn);
byId("keys").addEventListener("click", () => byId("help").showModal());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
remember(document);
enliven(document.body);
listen({ theme: turn });
const parts = byId("parts");
if (parts) follow(parts, enliven);
else byId("live").dataset.state = "still";
