/* Sections of a long page, <details open data-folds>: open where there is room, folded on phones until they are asked
   for. Without JavaScript all of them are open. */
(function () {
  "use strict";
  const narrow = matchMedia("(max-width: 720px)");
  const folds = [...document.querySelectorAll("details[data-folds]")];
  /* The part that the address points at, itself or something in it. */
  const aimed = () => document.querySelector(":target")?.closest("details[data-folds]");

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
    document.querySelector(":target").scrollIntoView();
  });
  if (narrow.matches) arrange();
})();
