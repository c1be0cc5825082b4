/* Runs in the head, before anything is drawn: the chosen theme and density, without a flash. Dark is the default;
   "system" follows the reader's system. Radio buttons named data-choose="theme" or "density" choose. */
(function () {
  "use strict";
  const KEYS = { theme: "obt-theme", density: "obt-density" };
  const CHOICES = { theme: ["dark", "light", "system"], density: ["comfortable", "compact"] };
  const root = document.documentElement;
  const systemIsLight = matchMedia("(prefers-color-scheme: light)");
  const chosen = {};

  function stored(what) {
    try {
      return localStorage.getItem(KEYS[what]);
    } catch {
      return null; // storage may be closed to us; the page then keeps its default
    }
  }

  function show(what, choice) {
    chosen[what] = CHOICES[what].includes(choice) ? choice : CHOICES[what][0];
    const follows = chosen[what] === "system";
    root.dataset[what] = follows ? (systemIsLight.matches ? "light" : "dark") : chosen[what];
    document.querySelectorAll(`[data-choose="${what}"]`).forEach((button) => {
      button.checked = button.value === chosen[what];
    });
  }

  function choose(what, choice) {
    show(what, choice);
    try {
      localStorage.setItem(KEYS[what], chosen[what]);
    } catch {
      /* the choice holds for this page */
    }
  }

  function showAll() {
    Object.keys(KEYS).forEach((what) => show(what, stored(what)));
  }

  root.dataset.js = "";
  showAll();
  document.addEventListener("DOMContentLoaded", showAll);
  systemIsLight.addEventListener("change", () => show("theme", chosen.theme));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) choose("theme", root.dataset.theme === "light" ? "dark" : "light");
  });
  document.addEventListener("change", (event) => {
    if (event.target.dataset?.choose) choose(event.target.dataset.choose, event.target.value);
  });
  window.addEventListener("storage", (event) => {
    const what = Object.keys(KEYS).find((each) => KEYS[each] === event.key);
    if (what) show(what, event.newValue);
  });
})();
