"use strict";
(() => {
  const UNITS = { k: 1e3, m: 1e6, bn: 1e9 };
  const number = (cell) => {
    const text = (cell.dataset.sort ?? cell.textContent).replace(/[\u2212\u2013]/g, "-").replace(/[,\s\u00a0]/g, "");
    const found = text.match(/^[+]?(-?)[^\d.-]*(-?[\d.]+)(k|m|bn)?/);
    return found ? (found[1] ? -1 : 1) * parseFloat(found[2]) * (UNITS[found[3]] ?? 1) : NaN;
  };
  const RANKS = [["very low", "low", "moderate", "high"], ["invalid", "harmful", "refuted", "inconclusive", "partly", "supported", "confirmed"],
    ["worse", "not as promised", "open", "better", "as promised"]];
  const rank = (cell) => {
    const text = cell.textContent.trim().toLowerCase();
    return RANKS.map((words) => words.findIndex((word) => text === word || text.startsWith(`${word},`) || text.startsWith(`${word} but`))).find((place) => place >= 0) ?? -1;
  };
  const order = (column, direction) => (a, b) => {
    const [x, y] = [a.cells[column], b.cells[column]];
    const [g, h] = [x, y].map(rank);
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
        const totals = rows.filter((row) => row.classList.contains("total"));
        body.append(...rows.filter((row) => !totals.includes(row)).toSorted(order(column, direction)), ...totals);
        table.dispatchEvent(new Event("sorted"));
      });
    }
  };
  const FIRST = 10;
  const searchable = (table) => {
    const body = table.tBodies[0];
    let shown = FIRST;
    const find = document.createElement("p");
    find.className = "find";
    find.innerHTML = '<label>Search <input type="search"></label><button type="button"></button><span role="status"></span>';
    const [input, all, said] = ["input", "button", "span"].map((name) => find.querySelector(name));
    const show = () => {
      const words = input.value.trim().toLowerCase();
      const found = [...body.rows].filter((row) => row.textContent.toLowerCase().includes(words));
      for (const row of body.rows) row.classList.add("rest");
      for (const row of words ? found : found.slice(0, shown)) row.classList.remove("rest");
      said.textContent = words ? `${found.length} of ${body.rows.length} rows` : "";
      all.textContent = shown === FIRST ? `All ${body.rows.length} rows` : `First ${FIRST} rows`;
      scrolls();
    };
    input.addEventListener("input", show);
    all.addEventListener("click", () => { shown = shown === FIRST ? Infinity : FIRST; show(); });
    table.addEventListener("sorted", show);
    table.closest(".scroll").before(find);
    show();
  };

  const isNarrow = matchMedia("(max-width: 46rem)");
  const asCards = (table) => {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    for (const row of table.tBodies[0].rows)
      [...row.cells].slice(1).forEach((cell, place) => {
        cell.dataset.label = heads[place + 1] + " ";
        cell.classList.toggle("none", !cell.textContent.trim());
      });
    table.classList.add("cards");
  };
  const scrolls = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      const isWide = () => box.scrollWidth > box.clientWidth;
      if (isNarrow.matches && isWide()) for (const table of box.querySelectorAll("table.sortable:not(.cards)")) asCards(table);
      box.toggleAttribute("data-wide", isWide());
      if (box.hasAttribute("data-wide")) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  for (const table of document.querySelectorAll("table")) sortable(table);
  for (const table of document.querySelectorAll("table.lengthy")) searchable(table);
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
