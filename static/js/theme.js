/* Runs in the head, before anything is drawn: the chosen theme, without a flash. Dark is the default. */
(function () {
  "use strict";
  const KEY = "obt-theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be closed to us; the page then keeps its default
    }
  }

  function show(theme) {
    root.dataset.theme = theme === "light" ? "light" : "dark";
  }

  function toggle() {
    const next = root.dataset.theme === "light" ? "dark" : "light";
    show(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      /* the choice holds for this page */
    }
  }

  root.dataset.js = "";
  show(stored());
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) toggle();
  });
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) show(event.newValue);
  });
})();
