"use strict";

const HEIGHT = 60; /* of a line, as in the style sheet */
const AROUND = 8; /* lines that are drawn beyond what is in sight, so that scrolling shows no gap */
const [NAME, HREF, VERDICT, FAMILY, BASE, LOST, ALGORITHM, NUMBERS, PASSING] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

const { rows, states, symbols } = JSON.parse(document.getElementById("data").textContent);
const view = document.querySelector(".rows");
const space = view.querySelector(".space");
const status = document.querySelector("[role=status]");
const texts = rows.map((row) => [row[NAME], row[LOST], row[ALGORITHM]].join(" ").toLowerCase());
let shown = rows.map((_, index) => index);
let order = shown.slice();
let thumbnails = null; /* read after the first lines are there: they are most of the page */

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function numberCell(cell) {
  const made = element("span", "number");
  if (!cell) return made;
  const [, value, interval, decision, place] = cell;
  if (decision) made.classList.add(states[decision] || "none");
  made.append(element("b", "", value));
  made.title = decision ? decision + ", 95 % interval " + interval : "95 % interval " + interval;
  made.append(element("small", "", place === null ? interval : interval + " · p " + place));
  return made;
}

function line(index, top) {
  const row = rows[index];
  const made = element("div", "line " + (states[row[VERDICT]] || "none"));
  made.setAttribute("role", "row");
  made.style.top = top + "px";
  const seen = element("span", "seen");
  const picture = thumbnails && thumbnails[index];
  if (picture) {
    const image = element("img", "");
    image.alt = "Most changed pair: base, LoRA";
    image.src = "data:image/jpeg;base64," + picture;
    seen.append(image);
  }
  const who = element("span", "who");
  const name = element(row[HREF] ? "a" : "span", "", row[NAME]);
  if (row[HREF]) name.href = row[HREF];
  who.title = row[NAME];
  who.append(name, element("small", "", [row[FAMILY], row[ALGORITHM], row[BASE]].filter(Boolean).join(" · ")));
  const verdict = element("span", "verdict");
  verdict.append(element("b", "", (symbols[row[VERDICT]] || "") + " " + row[VERDICT]));
  if (row[PASSING]) {
    verdict.append(element("small", "", "strength " + row[PASSING]));
    verdict.title = "Largest strength that passes, by straight lines between those that were asked";
  }
  const lost = element("span", "lost", row[LOST]);
  lost.title = row[LOST];
  made.append(seen, who, verdict, ...row[NUMBERS].map(numberCell), lost);
  for (const cell of made.children) cell.setAttribute("role", "cell");
  return made;
}

function draw() {
  const first = Math.max(0, Math.floor(view.scrollTop / HEIGHT) - AROUND);
  const last = Math.min(shown.length, Math.ceil((view.scrollTop + view.clientHeight) / HEIGHT) + AROUND);
  const lines = [];
  for (let at = first; at < last; at += 1) lines.push(line(shown[at], at * HEIGHT));
  space.replaceChildren(...lines);
}

function show() {
  const text = document.querySelector(".choose input").value.trim().toLowerCase();
  const chosen = [...document.querySelectorAll(".choose select")].filter((select) => select.value);
  shown = order.filter(
    (index) =>
      texts[index].includes(text) && chosen.every((select) => rows[index][Number(select.dataset.column)] === select.value),
  );
  space.style.height = shown.length * HEIGHT + "px";
  status.textContent = shown.length + " of " + rows.length;
  view.scrollTop = 0;
  draw();
}

/* Lines without a number come last, whichever way; equal ones stay worst first, as the page began. */
function sortBy(button) {
  const before = button.getAttribute("aria-sort");
  const what = button.dataset.sort;
  const up = before === null ? what === "name" || what === "verdict" : before === "descending";
  const way = up ? 1 : -1;
  order = rows.map((_, index) => index);
  if (what === "name") {
    const collator = new Intl.Collator(undefined, { numeric: true });
    order.sort((a, b) => way * collator.compare(rows[a][NAME], rows[b][NAME]));
  } else if (what === "verdict") {
    if (!up) order.reverse();
  } else {
    const value = (index) => rows[index][NUMBERS][Number(what)];
    order.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (!x || !y) return !x - !y || a - b;
      return way * (x[0] - y[0]) || a - b;
    });
  }
  for (const other of view.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  button.setAttribute("aria-sort", up ? "ascending" : "descending");
  show();
}

let waiting = false;
view.addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
});
view.querySelector(".head").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) sortBy(button);
});
document.querySelector(".choose").addEventListener("input", show);
document.querySelector(".choose").addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", draw);
show();
setTimeout(() => {
  thumbnails = JSON.parse(document.getElementById("thumbnails").textContent);
  draw();
}, 0);
