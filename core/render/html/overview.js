"use strict";

function filter(table, text, status) {
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(text.trim().toLowerCase());
  status.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length + " LoRAs";
}

const ranking = document.querySelector("table.ranking");
if (ranking) {
  const search = document.querySelector(".search");
  const input = search.querySelector("input");
  const status = search.querySelector("[role=status]");
  search.hidden = false;
  input.addEventListener("input", () => filter(ranking, input.value, status));
}
