/* Numbers copy clean: what a person sees as 5 182 tok/s with a thin space and a true minus goes to the clipboard with
   the digits a spreadsheet takes, and with a space before its unit. Tables keep their columns. */
(function () {
  "use strict";
  const THIN = /(\d)[\u2009\u202f](?=\d)/g;
  const MINUS = /\u2212(?=\d)/g;
  const clean = (text) => text.replace(THIN, "$1").replace(MINUS, "-");

  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (event.defaultPrevented || !selection.rangeCount || selection.isCollapsed) return;
    if (event.target instanceof Element && event.target.closest("input, textarea, [contenteditable]")) return;
    const piece = selection.getRangeAt(0).cloneContents();
    const walker = document.createTreeWalker(piece, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) walker.currentNode.data = clean(walker.currentNode.data);
    piece.querySelectorAll(".v + .u, .none + .u").forEach((unit) => unit.prepend(" "));
    piece.querySelectorAll("svg, script, button, dialog, .js-only, .sr").forEach((node) => node.remove());
    const stage = document.createElement("div");
    stage.className = "sr";
    stage.append(piece);
    document.body.append(stage); // its columns become tabs only while it is laid out
    event.clipboardData.setData("text/plain", stage.innerText.trim());
    event.clipboardData.setData("text/html", stage.innerHTML);
    stage.remove();
    event.preventDefault();
  });
})();
