/* Times: the server writes UTC, this writes the reader's zone, and keeps "5 min ago" current. */
(function () {
  "use strict";
  const REFRESH_MS = 10000;
  const pad = (n) => String(n).padStart(2, "0");
  const clock = (d) => `${pad(d.getHours())}:${pad(d.getMinutes())}`;
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const day = (d) => `${d.getDate()} ${MONTHS[d.getMonth()]} ${d.getFullYear()}`;

  function relative(d) {
    const ahead = (d.getTime() - Date.now()) / 1000;
    const size = Math.abs(ahead);
    if (size < 5) return "just now";
    const [unitS, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([s]) => size >= s);
    const text = `${Math.floor(size / unitS)} ${unit}`;
    return ahead > 0 ? `in ${text}` : `${text} ago`;
  }

  function moment(d) {
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    const isToday = d >= midnight && d - midnight < 86400000;
    return isToday ? `today ${clock(d)}` : `${day(d)}, ${clock(d)}`;
  }

  const WRITE = { relative, clock, moment, seconds: (d) => `${clock(d)}:${pad(d.getSeconds())}` };

  function write(element) {
    const date = new Date(element.getAttribute("datetime") || element.dataset.at);
    const how = WRITE[element.dataset.time];
    if (!how || Number.isNaN(date.getTime())) return;
    const text = how(date);
    if (element.textContent !== text) element.textContent = text;
    if (element.tagName === "TIME") element.title = `${day(date)}, ${WRITE.seconds(date)}`;
  }

  function writeAll(root) {
    const scope = root instanceof Element ? root : document;
    if (scope instanceof Element && scope.matches("[data-time]")) write(scope);
    scope.querySelectorAll("[data-time]").forEach(write);
  }

  writeAll(document);
  setInterval(() => document.querySelectorAll('[data-time="relative"]').forEach(write), REFRESH_MS);
  document.addEventListener("obt:changed", (event) => writeAll(event.target));
  document.addEventListener("htmx:afterSettle", (event) => writeAll(event.target));
})();
