/* A page that follows the server: <div data-live="/ws/…" data-live-refetch="/…">.

   The socket sends {seq, html: {element id: markup}, title?, toast?, done?}; {seq} alone is a tick.  Sequence numbers
   are contiguous within one connection.  After every (re)connection and on every gap the page asks data-live-refetch
   for the same shape (seq optional there: messages up to it are older than the answer and are dropped), so a page
   opened late or a dropped socket shows the same as one open all along.  data-live-silence="15" (seconds, optional)
   counts a longer silence as a lost connection, for servers that send ticks. */
(function () {
  "use strict";
  const place = document.querySelector("[data-live]");
  if (!place || !window.Idiomorph) return;

  const BACKOFF_BASE_MS = 500;
  const BACKOFF_MOST_MS = 15000;
  const REFETCH_TRIES = 3;
  const SILENCE_MS = 1000 * Number(place.dataset.liveSilence || 0);
  // Close codes 4400–4499 say "not for you" or "no such thing": asking again would not help.
  const isFinal = (code) => code >= 4400 && code < 4500;
  const TOO_MANY = 4429; // benchmarks/consumers.py

  let socket = null;
  let lastSeq = null;
  let attempts = 0;
  let isDone = false;
  let retryTimer = 0;
  let silenceTimer = 0;
  let work = Promise.resolve(); // messages and refetches are handled strictly one after another

  const MORPH = {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    restoreFocus: true,
    callbacks: {
      // What the reader opened, ticked or chose is theirs; the server's markup does not know it.
      beforeAttributeUpdated: (name, node) =>
        !(name === "open" && (node.tagName === "DETAILS" || node.tagName === "DIALOG")) &&
        !(name === "checked" && node.tagName === "INPUT"),
    },
  };

  function setState(state, words) {
    document.body.dataset.liveState = state;
    const mark = document.getElementById("live-mark");
    if (mark && mark.textContent !== words) mark.textContent = words;
  }

  function morph(html) {
    for (const [id, markup] of Object.entries(html || {})) {
      const element = document.getElementById(id);
      if (!element) continue;
      window.Idiomorph.morph(element, markup, MORPH);
      const fresh = document.getElementById(id);
      if (!fresh) continue;
      if (window.htmx) window.htmx.process(fresh);
      fresh.dispatchEvent(new CustomEvent("obt:changed", { bubbles: true }));
    }
  }

  function apply(message) {
    morph(message.html);
    if (message.title) document.title = message.title;
    if (message.toast && window.OBT) window.OBT.toast(message.toast);
    if (message.done) finish(message);
  }

  /* obt:ended is for what also wants to know, and says whether it happened while the page was watching. */
  function finish(message) {
    const wasOpen = !isDone && document.body.dataset.liveState !== "connecting";
    isDone = true;
    clearTimeout(silenceTimer);
    clearTimeout(retryTimer);
    setState("done", "");
    if (socket) socket.close(1000);
    if (wasOpen) document.dispatchEvent(new CustomEvent("obt:ended", { detail: message }));
  }

  async function refetch() {
    const address = place.dataset.liveRefetch;
    if (!address) return location.reload();
    for (let left = REFETCH_TRIES; left > 0 && !isDone; left -= 1) {
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
        // Signed out meanwhile, or gone: the page itself knows how to say so.
        if (answer.redirected || answer.status === 401 || answer.status === 403 || answer.status === 404) return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const message = await answer.json();
        apply(message);
        if (Number.isInteger(message.seq)) lastSeq = Math.max(lastSeq ?? 0, message.seq);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait(REFETCH_TRIES - left)));
      }
    }
    if (!isDone && socket) socket.close(4000); // cannot catch up on this connection: begin again
  }

  async function handle(message) {
    if (isDone || !Number.isInteger(message.seq)) return;
    const isOld = lastSeq !== null && message.seq <= lastSeq;
    const isGap = lastSeq !== null && message.seq > lastSeq + 1;
    if (isOld) return;
    lastSeq = message.seq;
    if (!isGap) return apply(message);
    // What is fetched now is newer than this message: its markup would set the page back.
    await refetch();
    if (!isDone) apply({ ...message, html: null });
  }

  function enqueue(step) {
    work = work.then(step).catch((error) => console.error(error));
  }

  function wait(attempt) {
    return Math.random() * Math.min(BACKOFF_MOST_MS, BACKOFF_BASE_MS * 2 ** attempt);
  }

  function expectWords() {
    if (!SILENCE_MS || isDone) return;
    clearTimeout(silenceTimer);
    const listening = socket;
    silenceTimer = setTimeout(() => listening.close(4000), SILENCE_MS);
  }

  function connect() {
    if (isDone) return;
    clearTimeout(retryTimer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(`${scheme}//${location.host}${place.dataset.live}`);
    socket = mine;
    mine.addEventListener("open", () => {
      lastSeq = null; // a new connection counts from its own start
      expectWords();
      enqueue(async () => {
        await refetch();
        if (isDone || mine !== socket || mine.readyState !== WebSocket.OPEN) return;
        attempts = 0;
        setState("live", "");
      });
    });
    mine.addEventListener("message", (event) => {
      if (mine !== socket) return;
      expectWords();
      enqueue(() => (mine === socket ? handle(JSON.parse(event.data)) : undefined));
    });
    mine.addEventListener("close", (event) => {
      if (mine !== socket || isDone) return;
      clearTimeout(silenceTimer);
      if (event.code === TOO_MANY) return setState("closed", "Too many pages are open. Close some, then reload this one.");
      if (isFinal(event.code)) return setState("closed", "Live updates ended. Reload the page to see more.");
      setState("reconnecting", "Connection lost. Reconnecting.");
      retryTimer = setTimeout(connect, wait(attempts));
      attempts += 1;
    });
  }

  function connectNow() {
    if (!isDone && document.visibilityState === "visible" && socket.readyState === WebSocket.CLOSED) connect();
  }

  setState("connecting", "");
  connect();
  window.addEventListener("online", connectNow);
  document.addEventListener("visibilitychange", connectNow);
})();
