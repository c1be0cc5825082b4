/* Keys that drive pages. A list is [data-list] with [data-row] rows: its current row is the one that has the focus, on
   the link of class "name", so that Enter opens it, a reader hears it, and live updates keep it. */
(function () {
  "use strict";
  const GO_MS = 1500;
  const NOT_TYPED = ["checkbox", "radio", "button", "submit", "reset", "range"];
  let goUntil = 0;
  let last = null; // the row that was current before the focus went elsewhere

  function isTyping(node) {
    if (!(node instanceof Element)) return false;
    if (node.matches("textarea, select, [contenteditable]:not([contenteditable=false])")) return true;
    return node.tagName === "INPUT" && !NOT_TYPED.includes(node.type);
  }

  const isShown = (node) => node.getClientRects().length > 0;
  const rows = () => [...document.querySelectorAll("[data-list] [data-row]")].filter(isShown);
  const current = () => document.activeElement?.closest("[data-row]");

  function say(text) {
    const box = document.getElementById("said");
    if (box) box.textContent = text;
  }

  function focus(row) {
    const link = row.querySelector("a.name, a[href]");
    if (!link) row.tabIndex = -1;
    last = row;
    (link || row).focus({ preventScroll: true, focusVisible: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function move(step) {
    const all = rows();
    if (!all.length) return false;
    const at = all.indexOf(current() || (last?.isConnected ? last : null));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    focus(all[next]);
    return true;
  }

  function select() {
    const row = current() || (last?.isConnected ? last : null);
    const box = row?.querySelector("input.chk:not([disabled])");
    if (!box) return false;
    box.click();
    const name = row.querySelector(".name")?.textContent.trim() || "Row";
    say(`${name} ${box.checked ? "selected" : "not selected"}`);
    return true;
  }

  function search() {
    const field = [...document.querySelectorAll("main input[type=search]")].find(isShown);
    if (!field) return window.OBT.openPalette ? (window.OBT.openPalette(), true) : false;
    field.focus();
    field.select();
    return true;
  }

  function help() {
    const dialog = document.getElementById("keys");
    if (dialog && !dialog.open) dialog.showModal();
    return Boolean(dialog);
  }

  function go(key) {
    goUntil = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (link) location.assign(link.href);
    return Boolean(link);
  }

  const DO = {
    "/": search,
    "?": help,
    j: () => move(1),
    k: () => move(-1),
    x: select,
    g: () => {
      goUntil = performance.now() + GO_MS;
      return true;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target)) {
      if (event.key !== "Escape" || event.target.closest("dialog")) return;
      event.preventDefault(); // a browser would empty a search field, and its list would be whole again
      event.target.blur();
      return;
    }
    if (document.querySelector("dialog:modal")) return;
    const isGo = performance.now() < goUntil && event.key.length === 1;
    const done = isGo ? go(event.key) : DO[event.key]?.();
    if (done) event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    last = event.target.closest("[data-row]") || last;
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keys]")) return;
    event.target.closest("details")?.removeAttribute("open");
    help();
  });
})();
