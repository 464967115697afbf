"use strict";

function show(compare, cut) {
  const value = Math.round(Math.min(100, Math.max(0, cut)));
  const range = compare.querySelector("input");
  range.value = value;
  range.setAttribute("aria-valuetext", value + " % base, " + (100 - value) + " % LoRA");
  compare.style.setProperty("--cut", value + "%");
}

function follow(compare, event) {
  const box = compare.getBoundingClientRect();
  show(compare, (100 * (event.clientX - box.left)) / box.width);
}

for (const compare of document.querySelectorAll(".compare:not(.missing)")) {
  const range = compare.querySelector("input");
  range.addEventListener("input", () => show(compare, Number(range.value)));
  compare.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    compare.setPointerCapture(event.pointerId);
    event.preventDefault();
    range.focus({ preventScroll: true });
    follow(compare, event);
  });
  compare.addEventListener("pointermove", (event) => {
    if (compare.hasPointerCapture(event.pointerId)) follow(compare, event);
  });
  show(compare, 50);
}

for (const controls of document.querySelectorAll(".controls")) {
  controls.hidden = false;
  controls.addEventListener("click", (event) => {
    const cut = event.target.dataset.cut;
    if (cut === undefined) return;
    for (const compare of document.querySelectorAll(".compare:not(.missing)")) show(compare, Number(cut));
  });
}

const FOUND = 12;

for (const map of document.querySelectorAll(".map")) {
  const cells = [...map.querySelectorAll("rect")];
  const texts = cells.map((cell) => cell.querySelector("title").textContent);
  const find = map.querySelector(".find");
  const input = find.querySelector("input");
  const output = find.querySelector("output");
  find.hidden = false;
  const search = () => {
    const wanted = input.value.trim().toLowerCase();
    const found = texts.filter((text) => text.toLowerCase().includes(wanted));
    cells.forEach((cell, i) => {
      cell.classList.toggle("dim", !texts[i].toLowerCase().includes(wanted));
      cell.classList.remove("here");
    });
    const rest = found.length > FOUND ? " and " + (found.length - FOUND) + " more" : "";
    output.textContent = wanted ? (found.slice(0, FOUND).join(", ") || "No concept is called so") + rest : "";
  };
  input.addEventListener("input", search);
  map.querySelector("svg").addEventListener("pointerover", (event) => {
    const place = cells.indexOf(event.target);
    if (place < 0) return;
    for (const cell of map.querySelectorAll(".here")) cell.classList.remove("here");
    cells[place].classList.add("here");
    output.textContent = texts[place];
  });
}

/* On paper a closed "What was run" would be lost. */
const run = document.querySelector("details.run");
let wasOpen = false;
window.addEventListener("beforeprint", () => { wasOpen = run.open; run.open = true; });
window.addEventListener("afterprint", () => { run.open = wasOpen; });
