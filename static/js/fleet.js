/* Dialogs whose content is a page of its own: <a href="/page" data-opens="dialog id" data-from="#part of that page">.

   The part is fetched when it is asked for, so that what it counts is true then. Without JavaScript, and with a key
   that asks for another tab, the link is a link. A form that is refused (422) shows what is wrong beside its fields. */
(function () {
  "use strict";
  const REFUSED = 422;

  /* Where a dialog's content goes: into its own .body, or into itself. Found once: what was fetched may have a .body too. */
  const places = new WeakMap();
  function placeOf(dialog) {
    if (!places.has(dialog)) places.set(dialog, dialog.querySelector(".body") || dialog);
    return places.get(dialog);
  }

  async function open(link, dialog) {
    const body = placeOf(dialog);
    const answer = await fetch(link.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.querySelector(link.dataset.from);
    if (!answer.ok || answer.redirected || !part) return location.assign(link.href);
    // In a dialog its title is no longer the first heading of a page.
    part.querySelectorAll("h1").forEach((title) => {
      const second = document.createElement("h2");
      second.append(...title.childNodes);
      title.replaceWith(second);
    });
    body.replaceChildren(...(body === dialog ? part.childNodes : [part]));
    if (window.htmx) window.htmx.process(body);
    dialog.dispatchEvent(new CustomEvent("obt:changed", { bubbles: true }));
    dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens]");
    const dialog = link && document.getElementById(link.dataset.opens);
    if (!dialog || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
      // Inside a dialog a link that closes only closes.
      if (event.target.closest("dialog a[data-close]")) event.preventDefault();
      return;
    }
    event.preventDefault();
    open(link, dialog).catch(() => location.assign(link.href));
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status !== REFUSED) return;
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  });
})();
