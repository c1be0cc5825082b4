/* What was pressed shows at once that it is being sent, and cannot be sent twice. */
(function () {
  "use strict";

  function busy(button) {
    button.setAttribute("aria-busy", "true");
    // After the form's data is taken, which names the button that was pressed.
    setTimeout(() => {
      if (button.hasAttribute("aria-busy")) button.disabled = true;
    });
  }

  function ready(button) {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }

  const readyAll = () => document.querySelectorAll('[aria-busy="true"].btn').forEach(ready);

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    // A form that is not sent after all, one that only asks, or one for another tab leaves this page as it is.
    if (!button?.matches(".btn") || event.defaultPrevented || (button.formMethod || button.form.method) === "get") return;
    if (button.formTarget || button.form.target) return;
    if (button.hasAttribute("aria-busy")) event.preventDefault();
    else busy(button);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const button = event.detail.requestConfig.triggeringEvent?.submitter || event.detail.elt;
    if (button.matches?.("button.btn")) busy(button);
  });
  document.addEventListener("htmx:afterRequest", readyAll);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) readyAll(); // back from where it led
  });
})();
