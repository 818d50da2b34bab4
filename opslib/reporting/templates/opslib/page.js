"use strict";
(() => {
  const UNITS = { k: 1e3, m: 1e6, bn: 1e9 };
  const number = (cell) => {
    const text = (cell.dataset.sort ?? cell.textContent).replace(/[\u2212\u2013]/g, "-").replace(/[,\s\u00a0]/g, "");
    const found = text.match(/^[+]?(-?)[^\d.-]*(-?[\d.]+)(k|m|bn)?/);
    return found ? (found[1] ? -1 : 1) * parseFloat(found[2]) * (UNITS[found[3]] ?? 1) : NaN;
  };
  const GRADES = ["very low", "low", "moderate", "high"];
  const order = (column, direction) => (a, b) => {
    const [x, y] = [a.cells[column], b.cells[column]];
    const [g, h] = [x, y].map((cell) => GRADES.indexOf(cell.textContent.trim().toLowerCase()));
    if (g >= 0 && h >= 0) return direction * (g - h);
    const [p, q] = [number(x), number(y)];
    if (!isNaN(p) && !isNaN(q)) return direction * (p - q);
    if (isNaN(p) !== isNaN(q)) return isNaN(p) ? 1 : -1;
    return direction * x.textContent.localeCompare(y.textContent);
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = table.tHead && [...table.tHead.rows].at(-1).cells;
    if (!heads || table.tBodies.length !== 1) return;
    const rows = [...body.rows];
    const isPlain = [...heads, ...rows.flatMap((row) => [...row.cells])].every((c) => c.colSpan === 1 && c.rowSpan === 1);
    for (const [column, head] of [...heads].entries()) {
      if (!isPlain || rows.length < 3 || head.tagName !== "TH") continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = head.ariaSort === "descending" ? 1 : -1;
        for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
        body.append(...rows.toSorted(order(column, direction)));
      });
    }
  };
  for (const table of document.querySelectorAll("table")) sortable(table);

  const scrolls = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      box.toggleAttribute("data-wide", box.scrollWidth > box.clientWidth);
      if (box.hasAttribute("data-wide")) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  scrolls();
  addEventListener("resize", scrolls);

  const open = () => {
    const target = location.hash && document.querySelector(location.hash);
    if (target) for (const fold of target.querySelectorAll(":scope > details")) fold.open = true;
  };
  addEventListener("hashchange", open);
  open();

  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details[open]")];
    for (const fold of unfolded) fold.open = false;
  });
  addEventListener("afterprint", () => { for (const fold of unfolded) fold.open = true; });
  const print = document.querySelector("button.print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
})();
