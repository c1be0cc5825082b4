/* What every page shares: toasts, copying a line, closing menus, dialogs. */
(function () {
  "use strict";
  const TOAST_MS = 8000;
  const COPIED_MS = 2000;
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = { good: "m1.4 5.4 2.4 2.5 4.9-5.6", warn: "M5 .8 9.6 9.2H.4Z", bad: "M1 1h8v8H1Z", info: "M5 4.4v4.4M5 1.6v.2" };

  function glyph(tone) {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    const isLine = tone === "good" || tone === "info";
    svg.setAttribute("class", `gl ${tone}`);
    svg.setAttribute("viewBox", "0 0 10 10");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", SHAPES[tone]);
    path.setAttribute("fill", isLine ? "none" : "currentColor");
    if (isLine) {
      path.setAttribute("stroke", "currentColor");
      path.setAttribute("stroke-width", "1.7");
    }
    svg.append(path);
    return svg;
  }

  /* toast("one sentence"), or {text, tone: good|warn|bad|info, href, link}. Text is never read as markup. */
  function toast(message) {
    const { text, tone = "info", href, link = "Open" } = typeof message === "string" ? { text: message } : message;
    const box = document.getElementById("toasts");
    if (!box || !text) return;
    const item = document.createElement("div");
    item.className = "toast";
    item.dataset.toast = "";
    const words = document.createElement("span");
    words.textContent = text;
    item.append(glyph(SHAPES[tone] ? tone : "info"), words);
    if (typeof href === "string" && href.startsWith("/") && !href.startsWith("//")) {
      const anchor = document.createElement("a");
      anchor.href = href;
      anchor.textContent = link;
      item.append(anchor);
    }
    box.append(item);
    fade(item);
  }

  /* A toast under the pointer or with focus inside stays. */
  function fade(item) {
    setTimeout(() => (item.matches(":hover, :focus-within") ? fade(item) : item.remove()), TOAST_MS);
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const label = button.querySelector("[data-copy-label]") || button;
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      label.textContent = "Copied";
    } catch {
      // No clipboard on plain http: select the line, so that the reader's own key copies it.
      getSelection().selectAllChildren(source);
      label.textContent = "Selected";
    }
    setTimeout(() => { label.textContent = before; }, COPIED_MS);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    const close = event.target.closest("[data-close]");
    if (close) close.closest("[data-toast], dialog")?.[close.closest("dialog") ? "close" : "remove"]();
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  /* An answer to htmx that went wrong is a problem in JSON; its sentence says what to do. */
  function sentenceOf(answer) {
    try {
      const problem = JSON.parse(answer.responseText);
      const which = problem.status >= 500 && problem.request_id ? ` Request ${problem.request_id}.` : "";
      if (problem.detail) return problem.detail + which;
    } catch {
      /* a proxy's page, perhaps */
    }
    return "The server did not accept that. Reload the page and try again.";
  }

  document.addEventListener("htmx:responseError", (event) => toast({ text: sentenceOf(event.detail.xhr), tone: "bad" }));
  document.addEventListener("htmx:sendError", () => toast({ text: "The server cannot be reached. What you see may be old.", tone: "warn" }));
  document.querySelectorAll("#toasts .toast").forEach(fade);

  window.OBT = Object.assign(window.OBT || {}, { toast });
})();
