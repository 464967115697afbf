"use strict";

/* Numbers are compared as numbers, rows without one come last, and names as people sort them. */
function compare(column, way) {
  return (a, b) => {
    const [first, second] = [a, b].map((row) => row.cells[column]);
    if (column === 0) return way * first.textContent.localeCompare(second.textContent, undefined, { numeric: true });
    const [x, y] = [first, second].map((cell) => cell.dataset.order);
    if (x === "" || y === "") return (x === "") - (y === "");
    return way * (Number(x) - Number(y));
  };
}

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const up = column < 2;
  const before = heading.getAttribute("aria-sort");
  const ascending = before === "ascending" ? false : before === "descending" ? true : before === "other" ? !up : up;
  const rows = [...table.tBodies[0].rows].sort(compare(column, ascending ? 1 : -1));
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

function filter(table, text, status) {
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(text.trim().toLowerCase());
  status.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length + " LoRAs";
}

const table = document.querySelector("table.ranking");
if (table) {
  const search = document.querySelector(".search");
  const input = search.querySelector("input");
  const status = search.querySelector("[role=status]");
  search.hidden = false;
  input.addEventListener("input", () => filter(table, input.value, status));
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sortBy(table, button.closest("th"));
  });
}
