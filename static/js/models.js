/* The models page: rows, columns and "all" tick many cells at once, and the bar below counts what is ticked.
   What is ticked stays ticked when a filter takes its row out of sight; "all that match" follows the filter. */
(function () {
  "use strict";
  const form = document.querySelector("[data-selection]");
  const bar = document.querySelector("[data-selbar]");
  if (!form || !bar) return;

  const picked = new Set();
  const boxes = (root = form) => [...root.querySelectorAll('#matrix input[name="pick"]')];
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  const GROUPS = "[data-of]";
  const every = () => form.querySelector('input[name="match"]');

  const machineOf = (pick) => pick.slice(0, pick.indexOf(":"));

  function within(box, all = boxes()) {
    if (box.dataset.of === "all") return all;
    if (box.dataset.of === "row") return [...box.closest("tr").querySelectorAll('input[name="pick"]')];
    return all.filter((each) => machineOf(each.value) === box.dataset.column);
  }

  function write(selector, text) {
    const element = bar.querySelector(selector);
    if (element && element.textContent !== text) element.textContent = text;
  }

  /* The count answers at once; the times come from the server, which knows earlier results. */
  function show() {
    const machines = new Set();
    const models = new Set();
    for (const pick of picked) {
      machines.add(machineOf(pick));
      models.add(pick.slice(pick.indexOf(":") + 1));
    }
    const all = every()?.checked ? every() : null;
    const jobs = all ? Number(all.dataset.pairs) : picked.size;
    const what = all ? `${plural(Number(all.dataset.models), "model")}, all that match` : `${plural(models.size, "model")}, ${plural(machines.size, "machine")}`;
    write("[data-count]", jobs ? jobs.toLocaleString("en").replaceAll(",", "\u2009") : "—");
    write("[data-count-unit]", jobs === 1 ? "job" : "jobs");
    write("[data-count-words]", jobs ? what : "Tick models to measure");
    bar.toggleAttribute("data-filled", jobs > 0);
    bar.querySelectorAll("button").forEach((button) => { button.disabled = !jobs; });
    const shown = boxes();
    for (const box of form.querySelectorAll(GROUPS)) {
      const mine = within(box, shown);
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
    if (box === form) return show();
    if (box.matches(GROUPS)) {
      for (const each of within(box)) {
        each.checked = box.checked;
        keep(each);
      }
    } else if (box.name === "pick") keep(box);
    return show();
  });
  let wasAll = false;
  document.addEventListener("htmx:beforeSwap", () => { wasAll = Boolean(every()?.checked); });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "estimate") return;
    restore();
    if (wasAll && !every()?.checked) form.dispatchEvent(new Event("change", { bubbles: true })); // other models match now
  });
  window.addEventListener("pageshow", () => {
    boxes().forEach(keep);
    restore();
    if (picked.size) form.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
