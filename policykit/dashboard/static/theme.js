// Set the chosen theme before the first paint; without a choice the system's is followed.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("policykit-theme");
  } catch {
    // storage may be switched off: the system's theme it is
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
