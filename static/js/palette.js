/* Ctrl-K: a dialog whose field asks /palette as one types. The found lines are ordinary links: arrows move the focus
   among them, Enter in the field opens the first, and a modifier opens a tab, as with any link. */
(function () {
  "use strict";
  const dialog = document.getElementById("palette");
  const field = dialog?.querySelector("input[type=search]");
  if (!dialog) return;

  const links = () => [...dialog.querySelectorAll("#palette-found a")];

  function open() {
    if (dialog.open || document.querySelector("dialog:modal")) return;
    field.value = "";
    dialog.showModal();
    field.focus();
    field.dispatchEvent(new CustomEvent("obt:palette"));
  }

  function move(step) {
    const all = [field, ...links()];
    const at = Math.max(all.indexOf(document.activeElement), 0);
    // From the field, whose first line is marked already, one step goes to the second.
    const next = at === 0 && step > 0 ? Math.min(2, all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    all[next].focus();
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      event.preventDefault(); // the field would take the first one for itself, to empty it
      dialog.close();
    } else if (event.key.length === 1 && event.target !== field && !event.ctrlKey && !event.metaKey && !event.altKey) {
      field.focus(); // the letter then goes into the field
    }
  });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    const first = links()[0];
    // What is shown may be the answer to an earlier text; then the page of the whole text is right.
    if (!first || field.dataset.answered !== field.value) return;
    event.preventDefault();
    location.assign(first.href);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.requestConfig?.elt === field) field.dataset.answered = event.detail.requestConfig.parameters.q ?? "";
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-palette]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
  window.OBT = Object.assign(window.OBT || {}, { openPalette: open });
})();
