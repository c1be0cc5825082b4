/* Saving a chart: `figure.chart-f[data-chart]` as SVG or PNG as it stands on the page, or as CSV: its `table[data-csv]`,
   or what lies at the address in the figure's own `data-csv`.

   A figure may be several pictures with words between them. Each visible picture becomes a nested <svg> at its place,
   each line of words a <text>, each filled box a <rect>, with their computed looks as attributes: a file that needs no
   stylesheet. A cell's `data-value`, where it has one, is what the CSV says in place of the text that people read. */
(function () {
  "use strict";
  if (window.OBT?.chart) return;
  const NS = "http://www.w3.org/2000/svg";
  const EDGE_PX = 16;
  const PNG_SCALE = 2;
  const LOOKS = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linejoin",
    "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "font-stretch", "text-anchor", "vector-effect",
  ];
  const LEFT_OUT = "details, .chart-t, .sr, script, svg.ic";

  const clear = (colour) => colour === "transparent" || /^rgba\(.*, 0\)$/.test(colour);
  const seen = (element) => getComputedStyle(element).display === "contents"
    || element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  function make(name, attributes, ...children) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  /* A copy that carries its looks: no class, no stylesheet. Hidden parts are gone. */
  function dressed(element) {
    const copy = element.cloneNode(false);
    copy.removeAttribute("class");
    const look = getComputedStyle(element);
    for (const name of LOOKS) copy.setAttribute(name, look.getPropertyValue(name).replaceAll('"', "'"));
    if (look.transform !== "none" && !(element instanceof SVGSVGElement)) {
      copy.setAttribute("transform", look.transform);
    }
    if (element instanceof SVGSVGElement) copy.setAttribute("overflow", look.overflow);
    for (const child of element.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) copy.append(child.cloneNode());
      else if (child.localName === "title") copy.append(child.cloneNode(true));
      else if (getComputedStyle(child).display !== "none") copy.append(dressed(child));
    }
    return copy;
  }

  function picture(svg, origin) {
    const box = svg.getBoundingClientRect();
    const copy = dressed(svg);
    const place = { x: box.left - origin.left, y: box.top - origin.top, width: box.width, height: box.height };
    for (const [key, value] of Object.entries(place)) copy.setAttribute(key, value.toFixed(2));
    return copy;
  }

  /* A text node, cut where the page breaks its lines. */
  function* lines(node) {
    const range = document.createRange();
    let words = "", box = null;
    for (const found of node.data.matchAll(/\S+\s*/g)) {
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].trimEnd().length);
      const at = range.getBoundingClientRect();
      if (!at.width) continue;
      if (box && Math.abs(at.top - box.top) > 2) {
        yield [words.trimEnd(), box];
        words = "", box = null;
      }
      words += found[0].replace(/\s+/g, " ");
      box = box || at;
    }
    if (box) yield [words.trimEnd(), box];
  }

  function written(node, origin) {
    const look = getComputedStyle(node.parentElement);
    return [...lines(node)].map(([words, box]) => make("text", {
      x: (box.left - origin.left).toFixed(2),
      y: (box.top - origin.top + box.height * 0.78).toFixed(2),
      fill: look.color,
      "font-family": look.fontFamily.replaceAll('"', "'"),
      "font-size": look.fontSize,
      "font-weight": look.fontWeight,
      "font-stretch": look.fontStretch,
    }, words));
  }

  function filled(element, origin) {
    const colour = getComputedStyle(element).backgroundColor;
    if (clear(colour)) return [];
    const box = element.getBoundingClientRect();
    return [make("rect", {
      x: (box.left - origin.left).toFixed(2), y: (box.top - origin.top).toFixed(2),
      width: box.width.toFixed(2), height: box.height.toFixed(2), fill: colour,
    })];
  }

  function drawn(element, origin) {
    if (element.matches(LEFT_OUT) || !seen(element)) return [];
    if (element instanceof SVGSVGElement) return [picture(element, origin)];
    const parts = filled(element, origin);
    for (const child of element.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) parts.push(...written(child, origin));
      else if (child.nodeType === Node.ELEMENT_NODE) parts.push(...drawn(child, origin));
    }
    return parts;
  }

  /* Patterns that fills name live beside the page's content; the file takes its own copy. */
  function patterns(parts) {
    const named = new Set(parts.flatMap((part) => [...part.outerHTML.matchAll(/url\((?:'|&quot;)?#([\w-]+)/g)].map((m) => m[1])));
    return [...named].map((id) => document.getElementById(id)).filter(Boolean).map(dressed);
  }

  function page(element) {
    const behind = element.parentElement && getComputedStyle(element).backgroundColor;
    return !behind ? getComputedStyle(document.body).backgroundColor : clear(behind) ? page(element.parentElement) : behind;
  }

  /* The whole figure as one SVG element. */
  function svgOf(figure) {
    const box = figure.getBoundingClientRect();
    const parts = [...figure.children].flatMap((child) => drawn(child, box));
    const shown = [...figure.children].filter((child) => !child.matches(LEFT_OUT) && seen(child));
    const height = Math.max(...shown.map((child) => child.getBoundingClientRect().bottom)) - box.top;
    const width = Math.max(figure.scrollWidth, box.width);
    const view = [-EDGE_PX, -EDGE_PX, Math.ceil(width + 2 * EDGE_PX), Math.ceil(height + 2 * EDGE_PX)];
    return make("svg", { xmlns: NS, viewBox: view.join(" "), width: view[2], height: view[3] },
      make("title", {}, figure.querySelector("figcaption")?.innerText || figure.dataset.chart),
      make("defs", {}, ...patterns(parts)),
      make("rect", { x: view[0], y: view[1], width: view[2], height: view[3], fill: page(figure) }),
      ...parts);
  }

  const source = (svg) => new XMLSerializer().serializeToString(svg);

  async function pngOf(figure) {
    const svg = svgOf(figure);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source(svg))}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = svg.getAttribute("width") * PNG_SCALE;
    canvas.height = svg.getAttribute("height") * PNG_SCALE;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), "image/png"));
  }

  /* One field: numbers as numbers, nothing that a spreadsheet would run as a formula. */
  function field(cell) {
    const joined = (cell.dataset.value ?? cell.textContent).replace(/(\d)[\u2009\u202f](?=\d)/g, "$1");
    const text = joined.replace(/\s+/g, " ").trim();
    const plain = text.replace(/^−(?=\d)/, "-");
    const safe = /^-?[\d.]+(e[+-]?\d+)?$/i.test(plain) ? plain : /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function csvOf(figure) {
    const rows = [...figure.querySelector("table[data-csv]").rows];
    return rows.map((row) => [...row.cells].map(field).join(",")).join("\r\n") + "\r\n";
  }

  const KINDS = {
    svg: (figure) => new Blob([source(svgOf(figure))], { type: "image/svg+xml" }),
    png: pngOf,
    csv: (figure) => new Blob(["\ufeff", csvOf(figure)], { type: "text/csv" }),
  };

  async function save(figure, kind) {
    const link = document.createElement("a");
    // A list of many pages has its CSV on the server.
    const address = kind === "csv" && figure.dataset.csv;
    link.href = address || URL.createObjectURL(await KINDS[kind](figure));
    link.download = address ? "" : `${(figure.dataset.chart || "chart").replace(/[^\w.-]+/g, "-").slice(0, 80)}.${kind}`;
    link.click();
    if (!address) setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-as]");
    const figure = button?.closest("figure.chart-f");
    if (!figure) return;
    save(figure, button.dataset.chartAs).catch(() => window.OBT.toast({ text: "This chart could not be saved here.", tone: "warn" }));
  });

  window.OBT = Object.assign(window.OBT || {}, { chart: { svgOf, csvOf } });
})();
