/* The models page: rows, columns and "all" tick many cells at once, and the bar below counts what is ticked.
   What is ticked stays ticked when a filter takes its row out of sight. */
(function () {
  "use strict";
  const form = document.querySelector("[data-selection]");
  const bar = document.querySelector("[data-selbar]");
  if (!form || !bar) return;

  const picked = new Set();
  const boxes = (root = form) => [...root.querySelectorAll('#matrix input[name="pick"]')];
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  function within(box) {
    if (box.hasAttribute("data-all")) return boxes();
    if (box.hasAttribute("data-row")) return [...box.closest("tr").querySelectorAll('input[name="pick"]')];
    return boxes().filter((each) => each.value.startsWith(`${box.dataset.column}:`));
  }

  function duration(seconds) {
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }

  function write(selector, text) {
    const element = bar.querySelector(selector);
    if (element && element.textContent !== text) element.textContent = text;
  }

  /* The time is an upper bound: machines work side by side, models on one machine one after another. */
  function show() {
    const perMachine = new Map();
    const models = new Set();
    for (const pick of picked) {
      const at = pick.indexOf(":");
      perMachine.set(pick.slice(0, at), (perMachine.get(pick.slice(0, at)) || 0) + 1);
      models.add(pick.slice(at + 1));
    }
    const seconds = Number(form.querySelector('input[name="budget"]:checked')?.dataset.seconds || 0);
    const most = Math.max(0, ...perMachine.values()) * seconds;
    write("[data-count]", String(picked.size));
    write("[data-count-unit]", picked.size === 1 ? "job" : "jobs");
    write("[data-count-words]", picked.size ? `${plural(models.size, "model")}, ${plural(perMachine.size, "machine")}` : "Tick models to measure");
    write("[data-time]", picked.size ? `At most ${duration(most)}` : "\u00a0");
    write("[data-time-words]", picked.size ? "machines work side by side" : "");
    bar.toggleAttribute("data-empty", !picked.size);
    bar.querySelectorAll("button").forEach((button) => { button.disabled = !picked.size; });
    for (const box of form.querySelectorAll("[data-all], [data-row], [data-column]")) {
      const mine = within(box);
      const ticked = mine.filter((each) => each.checked).length;
      box.disabled = !mine.length;
      box.checked = mine.length > 0 && ticked === mine.length;
      box.indeterminate = ticked > 0 && ticked < mine.length;
    }
  }

  /* After a filter brought other rows: tick again what was ticked, and carry along what is out of sight. */
  function restore() {
    form.querySelectorAll("input[data-carried]").forEach((each) => each.remove());
    const inSight = new Set();
    for (const box of boxes()) {
      box.checked = picked.has(box.value);
      inSight.add(box.value);
    }
    for (const pick of picked) {
      if (inSight.has(pick)) continue;
      const carried = document.createElement("input");
      Object.assign(carried, { type: "hidden", name: "pick", value: pick });
      carried.dataset.carried = "";
      form.append(carried);
    }
    show();
  }

  function keep(box) {
    if (box.checked) picked.add(box.value);
    else picked.delete(box.value);
  }

  form.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches("[data-all], [data-row], [data-column]")) {
      for (const each of within(box)) {
        each.checked = box.checked;
        keep(each);
      }
    } else if (box.name === "pick") keep(box);
    show();
  });
  document.addEventListener("htmx:afterSettle", restore);
  window.addEventListener("pageshow", () => {
    boxes().forEach(keep);
    restore();
  });
})();
