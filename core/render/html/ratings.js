"use strict";

const main = document.getElementById("page");
const trials = [...main.querySelectorAll(".trial")];
const place = "owf-ratings-" + main.dataset.page;
const state = restored() || { rater: number().toString(36) + number().toString(36), seed: number(), answers: {} };

function number() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

function restored() {
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    return kept && typeof kept.seed === "number" && typeof kept.answers === "object" ? kept : null;
  } catch {
    return null; // a browser may keep nothing for pages from the disk
  }
}

function keep() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
  } catch {
    // then it cannot be gone on with later
  }
}

// Mulberry32: the order must be the same when somebody comes back, and it decides nothing else.
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const next = random(state.seed);
for (let i = trials.length - 1; i > 0; i--) {
  const j = Math.floor(next() * (i + 1));
  [trials[i], trials[j]] = [trials[j], trials[i]];
}
for (const trial of trials) {
  if (next() < 0.5) {
    const pair = trial.querySelector(".pair");
    pair.append(pair.firstElementChild);
  }
}

function only(section) {
  for (const other of main.querySelectorAll("section")) other.hidden = other !== section;
  window.scrollTo(0, 0);
}

function go() {
  const left = trials.filter((trial) => !(trial.dataset.id in state.answers));
  if (left.length === 0) return only(document.getElementById("end"));
  left[0].querySelector(".count").textContent = trials.length - left.length + 1 + " of " + trials.length;
  only(left[0]);
}

function chosen(trial) {
  return Object.fromEntries([...trial.querySelectorAll("input:checked")].map((i) => [i.dataset.question, i.value]));
}

function answer(trial) {
  const said = chosen(trial);
  const sides = [...trial.querySelectorAll("figure")].map((figure) => figure.dataset.side);
  const better = said.better === "same" ? "same" : sides[said.better === "left" ? 0 : 1];
  return { id: trial.dataset.id, color: Number(said.color), content: Number(said.content), better };
}

for (const trial of trials) {
  const button = trial.querySelector(".next");
  trial.addEventListener("change", () => {
    button.disabled = Object.keys(chosen(trial)).length < trial.querySelectorAll("fieldset").length;
  });
  button.addEventListener("click", () => {
    state.answers[trial.dataset.id] = answer(trial);
    keep();
    go();
  });
}

document.getElementById("begin").addEventListener("click", go);
document.getElementById("save").addEventListener("click", () => {
  const said = { version: 1, page: main.dataset.page, rater: state.rater, answers: Object.values(state.answers) };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(said, null, 1)], { type: "application/json" }));
  link.download = "ratings-" + state.rater + ".json";
  link.click();
  URL.revokeObjectURL(link.href);
});
