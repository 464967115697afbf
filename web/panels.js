// What the panels of the OWF nodes show, as elements: verdict, intervals, image pairs, meters, tables and curves.
// A panel is plain data from Python (nodes/ui/panel.py). Texts come from files of strangers and only ever become text
// nodes, never HTML.
import { api } from "../../scripts/api.js";

const MOST = 60; // rows of a panel: a workflow may claim any number
const SILENT = "NO ALARM";

/** Return a new element with a class and children; strings become text. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export const some = (list) => (list ?? []).slice(0, MOST);

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(label, act) {
  const element = make("button", "", label);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

function mark(className, left, width) {
  const element = make("i", className);
  element.style.left = `${left}%`;
  if (width !== undefined) element.style.width = `${width}%`;
  return element;
}

/** Return the class of a decision; "NO ALARM" has two words. */
export const stateClass = (decision) => `owf-${String(decision || "none").replaceAll(" ", "-")}`;

/** Return the track of an estimate with noise floor, interval, value and limit, at these percents of its width. */
export function track(at) {
  const line = make("div", "owf-track");
  if (at.floor !== undefined) {
    line.append(mark("owf-floor", Math.min(at.zero, at.floor), Math.abs(at.floor - at.zero)));
  }
  line.append(mark("owf-interval", at.low, at.high - at.low), mark("owf-value", at.value));
  if (at.limit !== undefined) line.append(mark("owf-limit", at.limit));
  return line;
}

/** Return one estimate: its text above its track. */
function bar(data) {
  const parts = [`95 % ${data.interval}`];
  if (data.floor) parts.push(`floor ${data.floor}`);
  if (data.limit) parts.push(`${data.limit_word ?? "limit"} ${data.limit}`);
  if (data.note) parts.push(data.note);
  const head = make("span", "", make("b", "", data.title), ` ${data.value}`);
  const whole = make("div", `owf-bar ${stateClass(data.state)}`, head, track(data.at), make("small", "owf-faint", parts.join(" · ")));
  whole.title = [`${data.title} ${data.value}`, ...parts].join("\n");
  return whole;
}

/**
 * Return the address on this ComfyUI of a file of a report, or null for any other address: workflows come from strangers,
 * and what a page loads by itself must not be able to do anything.
 */
function ownFile(url, isName) {
  if (!URL.canParse(url, location.origin)) return null;
  const asked = new URL(url, location.origin).searchParams;
  const [name, folder] = [asked.get("filename") ?? "", asked.get("subfolder") ?? ""];
  if (!isName(name) || !folder.startsWith("owf/") || folder.split("/").includes("..")) return null;
  return api.apiURL(`/view?${new URLSearchParams({ filename: name, subfolder: folder, type: "output" })}`);
}

const isPicture = (name) => /^[^/\\]+\.png$/.test(name);
const isReport = (name) => /^(report|overview-[0-9a-f]{8})\.html$/.test(name);

export function picture(url) {
  const image = make("img");
  const address = ownFile(url, isPicture);
  image.addEventListener("load", () => image.classList.toggle("owf-tiny", image.naturalWidth <= 160));
  image.addEventListener("error", () => (image.style.visibility = "hidden"));
  if (address) image.src = address;
  image.draggable = false;
  return image;
}

/** Return one of several things at a time, drawn by `draw`, with buttons to turn to the others; `said` is told of each. */
export function turning(list, draw, said = () => "") {
  const box = make("div");
  let index = 0;
  const show = () => {
    const turn = (by) => () => ((index = (index + by + list.length) % list.length), show());
    const count = `${index + 1} / ${list.length}${said(list[index])}`;
    const turns = make("div", "owf-row", button("‹", turn(-1)), make("span", "owf-faint", count), button("›", turn(1)));
    box.replaceChildren(...draw(list[index]), turns);
  };
  show();
  return box;
}

/** Return an image pair under a slider: the base on its left, the tuned model on its right. */
function slider(pair) {
  const tuned = picture(pair.tuned);
  const divider = make("i", "owf-divider");
  const range = make("input");
  Object.assign(range, { type: "range", min: 0, max: 100, value: 50, ariaLabel: "before and after" });
  const move = () => {
    tuned.style.clipPath = `inset(0 0 0 ${range.value}%)`;
    divider.style.left = `${range.value}%`;
  };
  range.addEventListener("input", move);
  for (const name of ["pointerdown", "pointermove"]) range.addEventListener(name, (event) => event.stopPropagation());
  move();
  return [
    make("div", "owf-slider", picture(pair.base), tuned, divider, range),
    make("div", "owf-sides owf-faint", make("span", "", "base"), make("span", "", "tuned")),
    make("div", "owf-caption", pair.prompt),
  ];
}

/** Open the HTML report in a tab of its own, in a frame that may run scripts but is nobody's origin. */
export async function openReport(url) {
  const address = ownFile(url, isReport);
  if (!address) return alert("This is not the address of a report; queue the audit again.");
  const tab = window.open("", "_blank");
  const answer = await fetch(address);
  if (!answer.ok) {
    tab?.close();
    return alert("The report is no longer in ComfyUI's output folder; queue the audit again.");
  }
  if (!tab) return;
  tab.opener = null;
  tab.document.title = "OWF report";
  const frame = tab.document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.setAttribute("style", "position: fixed; inset: 0; width: 100%; height: 100%; border: 0");
  frame.srcdoc = await answer.text();
  tab.document.body.append(frame);
}

/** Return a title behind a badge; `state` is the decision whose colour it gets. */
export function head(data, badge, state = badge) {
  const title = make("span", "owf-title", data.title);
  title.title = data.title;
  return make("div", `owf-head ${stateClass(state)}`, ...(badge ? [make("span", "owf-badge", badge)] : []), title);
}

/** Return bars; alarms that are silent decide nothing, so they are folded away. */
function foldedBars(list) {
  const silent = list.filter((each) => each.state === SILENT);
  const parts = list.filter((each) => each.state !== SILENT).map(bar);
  if (!silent.length) return parts;
  const count = silent.length === 1 ? "One alarm is silent" : `${silent.length} alarms are silent`;
  return [...parts, make("details", "owf-silent", make("summary", "owf-faint", count), ...silent.map(bar))];
}

/** Return concepts with their numbers and intervals, a line each; all lists but the first are folded away. */
function ranking(list, place) {
  const lines = some(list.lines).map(([name, value, interval]) => {
    const label = make("span", "owf-title", name);
    label.title = name;
    return make("div", "owf-ranked", label, make("b", "", value), make("span", "owf-faint", interval));
  });
  const [whole, title] = place ? ["details", "summary"] : ["div", "div"];
  return make(whole, "owf-list", make(title, "owf-faint", `${list.title}, 95 % interval`), ...lines);
}

function reportPanel(data) {
  const top = head(data, data.outcome || data.verdict, data.state || data.verdict);
  top.firstChild.prepend(`${data.symbol} `);
  // The bars say what the other reasons would; all of them are in the full report.
  const reason = make("p", "owf-reason owf-faint", data.reasons[0] ?? data.sentence);
  const notes = some(data.notes).map((note) => make("p", "owf-note", note));
  const parts = [top, reason, ...notes, ...foldedBars(some(data.bars)), ...some(data.lists).map(ranking)];
  if (data.report) parts.push(make("div", "owf-row", button("Open the full report", () => openReport(data.report))));
  if (data.pairs.length) parts.push(turning(data.pairs, slider, (pair) => `, ${pair.change}`));
  return parts;
}

function meterPanel(data) {
  const notes = some(data.notes).map((note) => make("p", "owf-reason owf-faint", note));
  const terms = [make("div", "owf-faint", "Colour names that changed most"), ...some(data.terms).map(bar)];
  return [head(data), ...some(data.bars).map(bar), ...terms, ...notes];
}

function factsPanel(data) {
  const cells = some(data.lines).flatMap(([label, value]) => [make("span", "owf-faint", label), make("span", "", value)]);
  const badge = [data.symbol, data.badge].filter(Boolean).join(" "); // an older version saved no symbol
  return [head(data, badge, data.state), make("div", "owf-facts", ...cells), ...some(data.notes).map((note) => make("p", "owf-reason", note))];
}

/** Return one curve over `axis` with its name, last value and, if given, the line it is to stay under: grey for an `alarm`. */
function curve(name, points, most, axis, target, last = "", dots = false, alarm = false) {
  const values = points.map((point) => point[1]);
  const top = values.reduce((most, value) => Math.max(most, value), Math.max(target ?? 0, 1e-12));
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const y = (value) => (60 * (top - value)) / (top - low) + 2;
  const line = points.map(([step, value]) => `${((1000 * step) / (most > 0 ? most : 1)).toFixed(1)},${y(value).toFixed(2)}`);
  const chart = svg("svg", { class: "owf-curve", viewBox: "0 0 1000 64", preserveAspectRatio: "none" });
  if (target) chart.append(svg("line", { class: alarm ? "owf-alarm" : "", x1: 0, x2: 1000, y1: y(target), y2: y(target) }));
  chart.append(svg("polyline", { points: line.join(" ") }));
  if (dots) chart.append(svg("path", { d: line.map((at) => `M${at}h0`).join("") })); // few points, each measured
  const ends = ["0", axis, `${most}`].map((text) => make("span", "", text));
  const value = last || (values.length ? values[values.length - 1].toPrecision(3) : "");
  return make("div", "", make("div", "owf-bar-text", make("b", "", name), make("span", "owf-faint", value)), chart, make("div", "owf-axis owf-faint", ...ends));
}

function curvesPanel(data) {
  const shown = Object.entries(data.curves).filter(([, points]) => points.length);
  const charts = shown.map(([name, points]) => curve(name, points, data.steps, "step", (data.targets ?? {})[name]));
  const notes = (data.notes ?? []).map((note) => make("p", "owf-reason owf-faint", note));
  const title = data.step ? `${data.title}, step ${data.step} of ${data.steps}` : data.title;
  return [head({ title }, data.badge, data.state), ...some(data.bars).map(bar), ...charts, ...notes];
}

/** Return several audits, a line each, and below them their numbers against the strength. */
function tablePanel(data) {
  const lines = some(data.rows).map((row) => {
    const title = make("span", "owf-title", row.name);
    title.title = [row.name, row.reason].join("\n");
    // What it is called and what it comes to stand below each other: beside each other a node is too narrow for both.
    const named = make("div", "owf-named", title, make("small", "owf-faint", row.text));
    const badge = make("span", "owf-badge", `${row.symbol} ${row.badge || row.verdict}`);
    const line = make("div", `owf-head ${stateClass(row.state || row.verdict)}`, badge, named);
    if (row.report) line.append(button("Report", () => openReport(row.report)));
    return line;
  });
  const notes = some(data.notes).map((note) => make("p", "owf-reason", note));
  const charts = some(data.curves).map((each) => curve(each.title, each.points, data.most, "strength", each.limit, each.last, true, each.silent));
  return [head(data), ...notes, ...lines, make("div", "owf-curves", ...charts)];
}

export const PANELS = { report: reportPanel, meter: meterPanel, facts: factsPanel, curves: curvesPanel, table: tablePanel };

/** Return seconds as people say them. */
function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export function progress(state) {
  const inner = make("i");
  inner.style.width = `${Math.min(100, (100 * state.done) / Math.max(state.total, 1))}%`;
  const percent = `${Math.floor((100 * state.done) / Math.max(state.total, 1))} %`;
  const left = state.left === null || state.left === undefined ? "" : `, about ${duration(state.left)} left`;
  const text = make("div", "owf-bar-text", make("b", "", state.stage), make("span", "owf-faint", percent + left));
  const parts = [text, make("div", "owf-progress", inner)];
  if (state.ahead) parts.push(make("p", "owf-reason owf-faint", state.ahead));
  if (/^data:image\/jpeg;base64,[A-Za-z0-9+/=]+$/.test(state.picture ?? "")) {
    const drawn = make("img", "owf-drawn");
    drawn.src = state.picture;
    parts.push(drawn);
  }
  return parts;
}

/** Return a saved panel's elements; one that another version wrote must not keep the workflow from loading. */
export function panelParts(data) {
  if (!data || !Object.hasOwn(PANELS, data.kind)) return [];
  try {
    return PANELS[data.kind](data);
  } catch (error) {
    console.warn("OWF: a saved panel cannot be shown", error);
    return [];
  }
}
