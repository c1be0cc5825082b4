/* The end of a session told by the browser itself, to those who asked for it with the button. Nobody is asked before. */
(function () {
  "use strict";
  const KEY = "obt-tell-ended";
  const WORDS = { on: "You will be told", off: "Tell me when it ends" };
  if (!("Notification" in window) || !window.isSecureContext) return; // the button stays hidden

  function wanted() {
    try {
      return localStorage.getItem(KEY) === "1";
    } catch {
      return false;
    }
  }

  const isOn = () => wanted() && Notification.permission === "granted";

  function keep(on) {
    try {
      localStorage.setItem(KEY, on ? "1" : "0");
    } catch {
      window.OBT.toast({ text: "This browser keeps nothing for this address, so it cannot remember that.", tone: "warn" });
    }
  }

  function show() {
    const button = document.querySelector("[data-notify]");
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isOn()));
    button.querySelector("[data-notify-word]").textContent = isOn() ? WORDS.on : WORDS.off;
  }

  async function press() {
    if (isOn()) {
      keep(false);
    } else if ((await Notification.requestPermission()) === "granted") {
      keep(true);
    } else {
      window.OBT.toast({ text: "The browser does not allow notifications from this address. Its settings can change that.", tone: "warn" });
    }
    show();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-notify]")) press();
  });
  document.addEventListener("obt:changed", show);
  document.addEventListener("obt:ended", (event) => {
    if (!isOn()) return;
    const { title = document.title, toast = {} } = event.detail;
    const notice = new Notification(title, { body: toast.text || "", tag: location.pathname });
    notice.addEventListener("click", () => window.focus());
  });
  show();
})();
