/* Sections of a long page, <details open data-folds>: open where there is room, folded on phones until they are asked
   for. Without JavaScript all of them are open. */
(function () {
  "use strict";
  const narrow = matchMedia("(max-width: 720px)");
  const folds = [...document.querySelectorAll("details[data-folds]")];
  /* What the address points at, also before the browser has gone there, and the section that it is in. */
  const pointed = () => document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const aimed = () => pointed()?.closest("details[data-folds]");

  function arrange() {
    const target = aimed();
    folds.forEach((fold) => { fold.open = !narrow.matches || fold === target; });
    target?.scrollIntoView();
  }

  narrow.addEventListener("change", arrange);
  addEventListener("hashchange", () => {
    const target = aimed();
    if (!target || target.open) return;
    target.open = true;
    pointed().scrollIntoView();
  });
  if (narrow.matches) arrange();
})();
