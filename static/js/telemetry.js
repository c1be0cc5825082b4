/* Telemetry that moves, in place of the still panels: zoom by dragging, all panels together; the chosen cell in blue.

   The pictures of the server stay for readers without scripts and are shown again when the numbers cannot be had. */
(function () {
  "use strict";
  const PANEL_PX = 80, ORDER_ROW_PX = 14, AXIS_PX = 26, SCALE_PX = 46, SHORTEST_PX = 1.5;
  const WHOLE_UNITS = new Set(["%", "W", "°C", "MHz"]);
  const KIND = { counted: "text3", warm_up: "line2", left_out: "warn" };

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = {};
  function readColours() {
    for (const [key, name] of Object.entries({
      text2: "--text-2", text3: "--text-3", line2: "--line-2", grid: "--grid", accent: "--accent", warn: "--warn",
    })) colours[key] = css(name);
    colours.font = `11.5px ${css("--sans")}`;
  }

  function make(tag, name, words) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (words) element.textContent = words;
    return element;
  }

  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  function digits(value, unit) {
    const size = Math.abs(value);
    const places = WHOLE_UNITS.has(unit) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
    return value.toFixed(places).replace("-", "−");
  }

  function start(root, data) {
    const phases = data.phases.map(([cell, from, to, kind]) => ({ cell, from, to, kind }));
    const cells = [...new Set(phases.map((phase) => phase.cell))];
    const length = data.length_s || 1;
    const sync = uPlot.sync("telemetry");
    const plots = [];
    let shown = [0, length];
    let chosen = root.dataset.chosen;
    readColours();

    const box = make("div", "tele-u");
    const tools = make("div", "tele-tools");
    const HINT = "Drag across a panel to zoom, double-click to see the whole run.";
    const said = make("span", "lbl", HINT);
    said.setAttribute("role", "status");
    const whole = make("button", "btn btn-0", "Whole run");
    const mine = make("button", "btn btn-0", "Zoom to the chosen cell");
    whole.type = mine.type = "button";
    tools.append(mine, whole, said);
    box.append(tools);

    function zoom(from, to) {
      plots.forEach((plot) => plot.setScale("x", { min: from, max: to }));
    }
    function tell(plot) {
      const { min, max } = plot.scales.x;
      shown = [min, max];
      const isWhole = min <= 0 && max >= length;
      said.textContent = isWhole ? HINT : `Shown: ${clock(min)} to ${clock(max)} of ${clock(length)}.`;
    }
    function span() {
      const own = phases.filter((phase) => phase.cell === chosen);
      return own.length ? [Math.min(...own.map((p) => p.from)), Math.max(...own.map((p) => p.to))] : [0, length];
    }
    whole.addEventListener("click", () => zoom(0, length));
    mine.addEventListener("click", () => {
      const [from, to] = span(), room = Math.max((to - from) * 0.03, 0.2);
      zoom(Math.max(0, from - room), Math.min(length, to + room));
    });

    function rect(plot, from, to, colour, alpha, y, height) {
      const { left, width } = plot.bbox;
      const start = Math.max(plot.valToPos(from, "x", true), left);
      const end = Math.min(plot.valToPos(to, "x", true), left + width);
      if (end < left || start > left + width) return;
      plot.ctx.save();
      plot.ctx.globalAlpha = alpha;
      plot.ctx.fillStyle = colour;
      plot.ctx.fillRect(start, y, Math.max(end - start, SHORTEST_PX), height);
      plot.ctx.restore();
    }
    function behind(plot, throttled) {
      const { top, height } = plot.bbox;
      phases.filter((phase) => phase.cell === chosen)
        .forEach((phase) => rect(plot, phase.from, phase.to, colours.accent, 0.13, top, height));
      throttled.forEach(([from, to]) => rect(plot, from, to, colours.warn, 0.18, top, height));
    }
    function order(plot) {
      const row = ORDER_ROW_PX * uPlot.pxRatio;
      phases.forEach((phase) => {
        const colour = phase.kind === "left_out" ? "warn" : phase.cell === chosen ? "accent" : KIND[phase.kind];
        const faint = phase.cell === chosen && phase.kind === "warm_up" ? 0.45 : 1;
        rect(plot, phase.from, phase.to, colours[colour], faint, plot.bbox.top + cells.indexOf(phase.cell) * row + 2, row - 4);
      });
    }

    const axis = (fields) => ({
      stroke: () => colours.text3, font: colours.font, ticks: { show: false },
      grid: { stroke: () => colours.grid, width: 1 }, ...fields,
    });
    function plot(place, height, values, times, fields) {
      const options = {
        width: Math.max(place.clientWidth, 120), height, legend: { show: false }, padding: [6, 6, fields.below, 0],
        cursor: { y: false, sync: { key: sync.key, setSeries: false }, drag: { x: true, y: false, setScale: true }, points: { size: 5 } },
        scales: { x: { time: false, range: (_, min, max) => (min <= (times[0] ?? 0) && max >= times.at(-1) ? [0, length] : [min, max]) }, ...fields.scales },
        axes: fields.axes, series: [{}, fields.series], hooks: fields.hooks,
      };
      const made = new uPlot(options, [times, values], place);
      plots.push(made);
      new ResizeObserver(() => made.setSize({ width: Math.max(place.clientWidth, 120), height })).observe(place);
    }

    function row(names, into) {
      const element = make("div", "tele-r");
      const place = make("div", "tele-c");
      element.append(place, names);
      into.append(element);
      return place;
    }

    function orderRow() {
      const names = make("div", "tele-n tele-o");
      cells.forEach((cell) => {
        const button = make("button", "mono", cell);
        button.type = "button";
        button.title = `Mark the requests of ${cell}`;
        button.setAttribute("aria-pressed", String(cell === chosen));
        button.addEventListener("click", () => {
          chosen = cell;
          names.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
          plots.forEach((one) => one.redraw(false));
        });
        names.append(button);
      });
      const place = row(names, box);
      plot(place, cells.length * ORDER_ROW_PX + 4, [null, null], [0, length], {
        scales: { y: { range: [0, 1] } },
        axes: [axis({ show: false }), axis({ size: SCALE_PX, values: () => [], grid: { show: false } })],
        series: {}, below: 0, hooks: { draw: [order] },
      });
    }

    function panelRow(panel, isLast, into) {
      const names = make("div", "tele-n");
      const value = make("span", "lbl", panel.note);
      names.append(make("span", "strong", panel.name), value);
      const place = row(names, into);
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", `${panel.name}: ${panel.note}`);
      plot(place, PANEL_PX + (isLast ? AXIS_PX : 0), panel.values, panel.t_s, {
        scales: { y: { range: (_, low, high) => [panel.floor ?? low, Math.max(panel.ceiling ?? high, (panel.floor ?? low) + 1e-9)] } },
        axes: [
          axis({ show: isLast, size: AXIS_PX, values: (_, marks) => marks.map(clock) }),
          axis({ size: SCALE_PX, space: 24, values: (_, marks) => marks.map((mark) => String(+mark.toPrecision(4))) }),
        ],
        below: isLast ? 0 : 7,
        series: { stroke: () => colours.text2, width: 1.25, points: { show: false }, spanGaps: false },
        hooks: {
          setScale: [(one, key) => (key === "x" ? tell(one) : null)],
          drawClear: [(one) => behind(one, panel.throttled)],
          setCursor: [(one) => {
            const at = one.cursor.idx, known = at == null ? null : panel.values[at];
            value.textContent = at == null ? panel.note : known == null ? `no reading at ${clock(panel.t_s[at])}` : `${digits(known, panel.unit)} ${panel.unit} at ${clock(panel.t_s[at])}`;
          }],
        },
      });
    }

    /* The readings in the fold: drawn when it is opened, for a panel that is not seen has no width; on the same clock. */
    function moreOf(still, panels) {
      const fold = still?.closest("details");
      if (!fold || !panels.length) return;
      function build() {
        const others = make("div", "tele-u"), now = shown;
        still.after(others);
        still.hidden = true;
        panels.forEach((panel, place) => panelRow(panel, place === panels.length - 1, others));
        zoom(...now);
      }
      if (fold.open) build();
      else fold.addEventListener("toggle", build, { once: true });
    }

    root.after(box);
    root.hidden = true;
    if (cells.length) orderRow();
    data.panels.forEach((panel, place) => panelRow(panel, place === data.panels.length - 1, box));
    moreOf(document.getElementById(root.dataset.more ?? ""), data.more ?? []);
    new MutationObserver(() => {
      readColours();
      plots.forEach((one) => one.redraw(false));
    }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  /* A picture that is saved is the still one: drawn as shapes, and of the whole run. */
  function saveStill(root) {
    root.closest("figure").addEventListener("click", (event) => {
      if (!event.target.closest("[data-chart-as]")) return;
      const box = root.nextElementSibling;
      root.hidden = false;
      box.hidden = true;
      setTimeout(() => { root.hidden = true; box.hidden = false; }, 0);
    }, true);
  }

  async function begin(root) {
    const answer = await fetch(root.dataset.telemetry, { credentials: "same-origin" });
    if (!answer.ok) return;
    const data = await answer.json();
    if (!data.panels.length) return;
    start(root, data);
    saveStill(root);
  }

  document.querySelectorAll("[data-telemetry]").forEach((root) => begin(root).catch(() => { root.hidden = false; }));
})();
