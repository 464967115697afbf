"use strict";

/* Numbers are compared as numbers, cells without one come last whichever way, and texts as people sort them. */
function compareCells(column, texts, way) {
  return (a, b) => {
    const [first, second] = [a, b].map((row) => row.cells[column]);
    if (texts) return way * first.textContent.localeCompare(second.textContent, undefined, { numeric: true });
    const [x, y] = [first, second].map((cell) => cell.dataset.order);
    if (x === "" || y === "") return (x === "") - (y === "");
    return way * (Number(x) - Number(y));
  };
}

/* A column begins with what a reader looks for: texts from A, numbers with the largest unless its heading says so. */
function sortBy(table, heading) {
  const texts = heading.dataset.kind === "text";
  const up = texts || heading.dataset.first === "ascending";
  const before = heading.getAttribute("aria-sort");
  const ascending = before === "ascending" ? false : before === "descending" ? true : before === "other" ? !up : up;
  const rows = [...table.tBodies[0].rows].sort(compareCells(heading.cellIndex, texts, ascending ? 1 : -1));
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

/* Headings are buttons, so that a keyboard reaches them. */
for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sortBy(table, button.closest("th"));
  });
}
