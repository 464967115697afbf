// The OWF nodes in ComfyUI's page: each has a panel, which is kept in the node's properties so that it is saved with the
// workflow (panels.js), and the node is as high as it needs (height.js).
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { EDGE, LEAST, fit } from "./height.js";
import { make, panelParts, progress } from "./panels.js";
import { watchRefusals } from "./refusals.js";
import "./compared.js"; // one more kind of panel

const NODES = new Set([
  "OWF_DriftAudit",
  "OWF_ShowReport",
  "OWF_CDIKIDMeter",
  "OWF_InspectLoRA",
  "OWF_TrainLoRADC",
  "OWF_StrengthSweep",
  "OWF_FolderAudit",
  "OWF_LoadAuditedLoRA",
  "OWF_CompareAudits",
]);
const AUDITS = new Set(["OWF_DriftAudit", "OWF_StrengthSweep", "OWF_FolderAudit"]);
const FORECAST = [
  ...["lora", "loras", "strength", "strengths", "preset", "audit_seed", "metrics", "per_class", "guidance_scale", "features"],
  ...["resolution", "probe_folder", "open_clip", "concept", "references"],
];
const LINKED = [...FORECAST, "tuned_model", "tuned_clip", "probe_images"];
const BASES = new Set(["ckpt_name", "unet_name", "model_name", "model_path", "gguf_name"]); // as in nodes/auditing/upstream.py
const DEMO_BASE = "[demo]"; // as in nodes/backend/places.py
const SETTLED = 400; // milliseconds without another change
const WIDTH = 420;
const KEY = "owf_panel";
const EMPTY = "Queue the graph to see results here.";
const SAVED = "Saved with the workflow; queue the graph to measure here.";
const GOES_ON = "to go on.";
const POINTS = 800; // points of a curve

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("./owf.css", import.meta.url).href;
document.head.append(style);

/** Return what is said of a run that the user cancelled. */
function cancelled(state) {
  const percent = Math.floor(100 * Math.min(1, state.share ?? 0));
  return `Cancelled at ${percent} %; queue again ${state.resumes ? GOES_ON : "to start over."}`;
}

function draw(node) {
  const parts = node.owfProgress ? progress(node.owfProgress) : [];
  if (node.owfStopped && !node.owfProgress) parts.push(make("p", "owf-note", node.owfStopped));
  if (node.owfRefused && !node.owfProgress) parts.push(make("p", "owf-note", node.owfRefused));
  const resumes = node.owfStopped?.endsWith(GOES_ON); // what is done then does not cost anything again
  if (node.owfForecast && node.owfForecast !== node.owfRefused && !node.owfProgress && !resumes) parts.push(make("p", "owf-reason owf-faint", node.owfForecast));
  const panel = panelParts(node.properties?.[KEY]);
  if (panel.length && !node.owfMeasured && !node.owfProgress) parts.push(make("div", "owf-faint owf-saved", SAVED));
  parts.push(...panel);
  if (!panel.length && !node.owfProgress && !node.owfStopped && !node.owfRefused) parts.push(make("div", "owf-empty", EMPTY));
  node.owfContent.replaceChildren(...parts);
  fit(node);
}

/** Return the file of the base that a node's model comes from; "" where no node on the way names one, or several do. */
function baseOf(node) {
  const from = (each, slots) => slots.map((slot) => each.getInputNode?.(slot)).filter(Boolean);
  const slot = (node.inputs ?? []).findIndex((input) => input.name === "model");
  const waiting = slot < 0 ? [] : from(node, [slot]);
  const [seen, found] = [new Set([node]), new Set()];
  while (waiting.length) {
    const each = waiting.pop();
    if (seen.has(each)) continue;
    seen.add(each);
    if (each.comfyClass === "OWF_DemoCheckpoint") found.add(DEMO_BASE);
    for (const { name, value } of each.widgets ?? []) if (BASES.has(name) && value && value !== "none") found.add(String(value));
    waiting.push(...from(each, [...(each.inputs ?? []).keys()]));
  }
  return found.size === 1 ? [...found][0] : "";
}

/** Ask what an audit with a node's present values would cost, once they have settled. */
function forecast(node) {
  clearTimeout(node.owfAsking);
  const asking = setTimeout(async () => {
    const values = FORECAST.map((name) => [name, node.widgets?.find((widget) => widget.name === name)?.value]);
    const asked = new URLSearchParams(values.filter(([, value]) => value !== undefined));
    const linked = (node.inputs ?? []).filter((input, slot) => LINKED.includes(input.name) && node.isInputConnected(slot));
    if (linked.length) asked.set("linked", linked.map((input) => input.name).join(",")); // with values of their own
    const base = baseOf(node);
    if (base) asked.set("base", base);
    let text = "";
    try {
      const answer = await api.fetchApi(`/owf/forecast?${asked}`);
      if (answer.ok) text = String((await answer.json()).text ?? "");
    } catch {
      // a server that is away says so itself
    }
    if (node.owfAsking !== asking) return; // asked anew, or measured, meanwhile
    node.owfForecast = text;
    draw(node);
  }, SETTLED);
  node.owfAsking = asking;
}

/** Let a node say what it would cost, now and whenever a value that counts is changed. */
function addForecast(node) {
  for (const widget of node.widgets ?? []) {
    if (!FORECAST.includes(widget.name)) continue;
    const before = widget.callback;
    widget.callback = function (...values) {
      const result = before?.apply(this, values);
      node.owfStopped = ""; // it was of other values
      forecast(node);
      return result;
    };
  }
  forecast(node);
}

/** Keep a panel with the node, so that it is there after a reload of the page. */
function keep(node, data) {
  node.properties ??= {};
  node.properties[KEY] = data;
  node.owfProgress = null;
  node.owfStopped = node.owfRefused = node.owfForecast = ""; // of what was asked before
  clearTimeout(node.owfAsking);
  node.owfAsking = null;
  node.owfMeasured = true;
  draw(node);
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker); // older front ends know only the second
}

function addPanel(node) {
  // What is measured is inside of what ComfyUI stretches, or a panel could never shrink.
  const content = make("div", "owf-content");
  const element = make("div", "owf", content);
  element.addEventListener("wheel", (event) => element.scrollHeight > element.clientHeight && event.stopPropagation(), { passive: true });
  Object.assign(node, { owfElement: element, owfContent: content, owfHeight: LEAST });
  const options = { serialize: false, hideOnZoom: false, margin: EDGE, getMinHeight: () => node.owfHeight + 2 * EDGE };
  const widget = node.addDOMWidget(KEY, "owf", element, options);
  widget.serialize = false;
  node.setSize?.([Math.max(node.size[0], WIDTH), node.computeSize()[1]]);
  // Pictures arrive, fonts load, the user makes the node wider, or it comes onto the screen.
  if (globalThis.ResizeObserver) {
    const observer = new ResizeObserver(() => fit(node));
    for (const each of [content, element]) observer.observe(each);
  }
  const after = (name, act) => {
    const before = node[name];
    node[name] = function (...values) {
      const result = before?.apply(this, values);
      act(...values);
      return result;
    };
  };
  after("onExecuted", (output) => output?.owf?.[0] && keep(node, output.owf[0]));
  after("onConfigure", () => {
    node.owfSize = undefined; // a workflow brings its own
    node.owfOwn = [];
    draw(node);
    if (AUDITS.has(node.comfyClass)) forecast(node);
  });
  draw(node);
}

/**
 * Return the node a message is about and the subgraphs that it is in, outermost first; ids of nodes in these are paths.
 * A subgraph shows what its nodes do: while it is closed, nothing of them is seen.
 */
function find(id) {
  let graph = app.graph;
  const found = [];
  for (const part of String(id).split(":")) {
    const node = graph?.getNodeById?.(Number(part)) ?? graph?.getNodeById?.(part);
    if (!node) return [];
    found.push(node);
    graph = node.subgraph;
  }
  if (!found.at(-1).owfElement) return [];
  for (const node of found) if (!node.owfElement) addPanel(node);
  return found;
}

function onProgress({ detail }) {
  for (const node of find(detail.node)) {
    node.owfProgress = { ...detail, picture: detail.picture ?? node.owfProgress?.picture };
    node.owfStopped = "";
    draw(node);
  }
}

/** Show what a node found on the subgraphs that it is in; it shows it itself. */
function onDone({ detail }) {
  const panel = detail?.output?.owf?.[0];
  for (const node of panel ? find(detail.node).slice(0, -1) : []) keep(node, panel);
}

/** Take one step of a training: a value for some of the curves. */
function onTraining({ detail }) {
  for (const node of find(detail.node)) addStep(node, detail);
}

function addStep(node, detail) {
  const old = node.properties?.[KEY];
  const fresh = detail.step <= 1 || old?.kind !== "curves" || old.run !== detail.run;
  const data = fresh ? { kind: "curves", title: detail.title, run: detail.run, curves: {} } : old;
  Object.assign(data, { step: detail.step, steps: detail.steps, targets: detail.targets });
  for (const [name, value] of Object.entries(detail.values)) {
    // A training that goes on after a cancel makes some steps again.
    const before = (data.curves[name] ?? []).filter((point) => point[0] < detail.step);
    // Half of many points draws the same curve; the node's last message has them evenly anyway.
    const kept = before.length < POINTS ? before : before.filter((_, index) => index % 2 === 0);
    data.curves[name] = [...kept, [detail.step, value]];
  }
  (node.properties ??= {})[KEY] = data;
  node.owfMeasured = true;
  draw(node);
}

/** End what runs; `said` tells of its state why. */
function stop(graph, said) {
  for (const node of graph?._nodes ?? []) {
    if (node.subgraph) stop(node.subgraph, said);
    if (!node.owfProgress) continue;
    node.owfStopped = said(node.owfProgress);
    node.owfProgress = null;
    draw(node);
  }
}

/** Show an error of one of our nodes on it; ComfyUI's own box of it may be closed. */
function onError({ detail }) {
  stop(app.graph, () => "");
  for (const node of find(detail?.node_id)) {
    node.owfStopped = String(detail.exception_message ?? "").trim();
    draw(node);
  }
}

/** Show on nodes why ComfyUI did not queue them, and no longer what it said of an earlier attempt. */
function onRefusals(said) {
  forget(app.graph);
  for (const [id, text] of said) {
    for (const node of find(id)) {
      node.owfRefused = text;
      node.owfStopped = ""; // of an earlier attempt
      draw(node);
    }
  }
}

function forget(graph) {
  for (const node of graph?._nodes ?? []) {
    if (node.subgraph) forget(node.subgraph);
    if (!node.owfRefused) continue;
    node.owfRefused = "";
    draw(node);
  }
}

app.registerExtension({
  name: "OWF.Panels",
  setup() {
    watchRefusals(onRefusals);
    api.addEventListener("owf.progress", onProgress);
    api.addEventListener("owf.training", onTraining);
    api.addEventListener("executed", onDone);
    api.addEventListener("execution_error", onError);
    api.addEventListener("execution_interrupted", () => stop(app.graph, cancelled));
  },
  nodeCreated(node) {
    if (NODES.has(node.comfyClass)) addPanel(node);
    if (AUDITS.has(node.comfyClass)) addForecast(node);
  },
  loadedGraphNode(node) {
    if (node.subgraph && node.properties?.[KEY] && !node.owfElement) addPanel(node);
  },
});
