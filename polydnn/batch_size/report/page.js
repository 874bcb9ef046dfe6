"use strict";
// Point at a mark: its text appears, and the same batch size lights up in every picture and in the table.
(() => {
  const tip = document.getElementById("tip");
  const all = document.querySelectorAll("[data-batch-size]");

  for (const mark of document.querySelectorAll(".mark")) {
    const title = mark.querySelector("title");
    mark.dataset.text = title.textContent;
    title.remove(); // the browser's own tip would cover ours
  }

  const light = (size) => {
    for (const each of all) each.classList.toggle("near", size !== undefined && each.dataset.batchSize === size);
  };

  const show = (mark, event) => {
    tip.textContent = mark.dataset.text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, event.clientX - box.width / 2), window.innerWidth - box.width - 8);
    const above = event.clientY - box.height - 16;
    tip.style.transform = `translate(${left}px, ${above < 8 ? event.clientY + 20 : above}px)`;
    light(mark.dataset.batchSize);
  };

  const hide = () => {
    tip.hidden = true;
    light(undefined);
  };

  const centre = (mark) => {
    const box = (mark.querySelector(".dot") || mark).getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };

  for (const chart of document.querySelectorAll(".chart")) {
    const marks = [...chart.querySelectorAll(".mark")];
    const point = (event) => {
      let found, least = Infinity;
      for (const mark of marks) {
        const [x, y] = centre(mark);
        const away = Math.abs(x - event.clientX) * 4 + Math.abs(y - event.clientY);
        if (away < least) [found, least] = [mark, away];
      }
      if (found) show(found, event);
    };
    chart.addEventListener("pointermove", point);
    chart.addEventListener("pointerdown", point);
    chart.addEventListener("pointerleave", hide);
  }

  for (const row of document.querySelectorAll("tr[data-batch-size]")) {
    row.addEventListener("pointerenter", () => light(row.dataset.batchSize));
    row.addEventListener("pointerleave", () => light(undefined));
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.documentElement.dataset.ready = "true";
})();
