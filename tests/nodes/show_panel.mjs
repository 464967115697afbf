// Shows saved panels as web/owf.js does in ComfyUI's page, on as much of a page as it needs, and writes their texts.
// node show_panel.mjs SCRIPT PANEL...: for each panel a JSON list of its texts, which of them are folded away, its classes
// and its pictures. A file with "events", a list of names and details, is no panel, but what ComfyUI's server says of a node
// that has none yet, "queue" being its answer to a graph; one with "widgets", values by name, is an audit's node that asks the server what it would cost,
// "set" changes one of them, and "meanwhile" is the panel of a run that ends before the server answers.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

class Element {
  constructor(tag) {
    Object.assign(this, { tag, className: "", style: {}, children: [], classList: { toggle() {} } });
  }
  get firstChild() {
    return this.children[0];
  }
  append(...parts) {
    this.children.push(...parts);
  }
  prepend(...parts) {
    this.children.unshift(...parts);
  }
  replaceChildren(...parts) {
    this.children = parts;
  }
  setAttribute(name, value) {
    this[name === "class" ? "className" : name] = value;
  }
  addEventListener() {}
}

const create = (tag) => new Element(tag);
globalThis.document = { createElement: create, createElementNS: (_, tag) => create(tag), head: create("head") };
globalThis.location = { origin: "http://127.0.0.1:8188" };
globalThis.warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));

let extension;
let current = null;
const pending = new Map();
let timers = 0;
globalThis.setTimeout = (act) => (pending.set(++timers, act), timers); // no clock in a test
let laidOut; // what the page calls when it has laid a panel out
globalThis.ResizeObserver = class {
  constructor(act) {
    laidOut = act;
  }
  observe() {}
};
globalThis.clearTimeout = (timer) => pending.delete(timer);
const asked = [];
const fetchApi = async (path) => (asked.push(path), { ok: true, json: async () => ({ text: `Cost ${asked.length}.` }) });
const listeners = {};
let answered; // what the server says to a graph that is queued
const queuePrompt = async (...given) => {
  if (given.length !== 3) throw new Error("an argument was lost");
  if (answered.refused) throw Object.assign(new Error("refused"), { response: answered });
  return answered;
};
const graph = { getNodeById: (id) => ({ 7: current, 3: outer })[id] ?? null, get _nodes() { return [current, outer]; } };
const inside = { getNodeById: (id) => (id === 7 ? current : null) };
let outer; // a subgraph that holds the same node
globalThis.owfTest = {
  app: { registerExtension: (given) => (extension = given), graph },
  api: { apiURL: (path) => path, fetchApi, queuePrompt, addEventListener: (name, act) => (listeners[name] = act) },
};
await import(pathToFileURL(process.argv[2]));
extension.setup();

const all = (element) => (element instanceof Element ? [element, ...element.children.flatMap(all)] : []);

async function shown(panel) {
  pending.clear(); // of the node before
  let options = null;
  const node = {
    comfyClass: panel?.widgets ? "OWF_DriftAudit" : "OWF_ShowReport",
    widgets: Object.entries(panel?.widgets ?? {}).map(([name, value]) => ({ name, value })),
    inputs: panel?.inputs ?? [],
    getInputNode: (slot) => node.inputs[slot].from ?? null,
    isInputConnected: (slot) => (node.inputs[slot].link ?? null) !== null,
    size: [420, 300],
    computeSize: () => [420, options.getMinHeight() + 60],
    setSize: (size) => (node.size = size),
    addDOMWidget: (name, kind, element, given) => ((options = given), {}),
  };
  extension.nodeCreated(node); // empty, as when a workflow is being loaded
  node.properties = panel?.events || panel?.widgets ? {} : { owf_panel: panel };
  node.onConfigure({});
  current = node;
  const nodeLaidOut = laidOut;
  outer = { subgraph: inside, size: [420, 60], computeSize: () => [420, 60], addDOMWidget: () => ({}) };
  for (const [name, value] of Object.entries(panel?.set ?? {})) {
    const widget = node.widgets.find((each) => each.name === name);
    widget.value = value;
    widget.callback(value);
  }
  for (const [timer, act] of [...pending]) {
    pending.delete(timer);
    const done = act();
    if (panel?.meanwhile) node.onExecuted({ owf: [panel.meanwhile] });
    await done;
  }
  for (const [name, detail] of panel?.events ?? []) {
    if (name !== "queue") listeners[name]({ detail });
    else {
      answered = detail;
      const passed = await owfTest.api.queuePrompt(0, {}, {}).then((answer) => answer === detail, () => detail.refused);
      if (!passed) warnings.push("the answer was lost");
    }
  }
  const elements = all(node.owfElement);
  const textsOf = (elements) => elements.flatMap((element) => element.children.filter((child) => typeof child === "string"));
  // As tall as its content when that is laid out, and as it was while it is not on the screen.
  const heightAt = (height) => {
    node.owfContent.offsetHeight = height;
    nodeLaidOut();
    return node.size[1] - 60;
  };
  const loadedAt = (size, height) => {
    node.size = [420, size];
    node.owfContent.offsetHeight = 0; // not on the screen yet
    node.onConfigure({});
    return heightAt(height);
  };
  const heights = [123, 2000, 0, 50].map(heightAt);
  node.size = [420, 760]; // as the user made it
  const chosen = [600, 900, 0, 600, 100].map(heightAt);
  // Made wider by its corner, which brings back the height of the drag's beginning with every move of the mouse.
  node.size = [420, 60];
  const wider = [heightAt(600)];
  const begun = node.size[1];
  for (const content of [580, 560, 560]) {
    node.size = [500, begun + 2];
    wider.push(heightAt(content));
  }
  // A workflow has the height that its node needed, and lines are still to come; then one that somebody chose.
  const loaded = [loadedAt(700, 600), heightAt(400), loadedAt(900, 600), heightAt(400)];
  globalThis.LiteGraph = { vueNodesMode: true };
  // ComfyUI made room for folded inputs; then somebody chose a height.
  node.owfElement.clientHeight = 140;
  const vue = [loadedAt(180, 100)];
  node.owfElement.clientHeight = 100;
  vue.push(heightAt(100));
  node.owfElement.clientHeight = 300;
  node.size = [420, node.size[1] + 200];
  vue.push(heightAt(100));
  delete globalThis.LiteGraph;
  return {
    texts: textsOf(elements),
    folded: elements.filter((element) => element.tag === "details").map((element) => textsOf(all(element))),
    classes: elements.flatMap((element) => element.className.split(" ")),
    pictures: elements.filter((element) => element.tag === "img").map((element) => element.src),
    outer: outer.owfElement ? textsOf(all(outer.owfElement)) : null,
    warnings: warnings.splice(0),
    heights,
    chosen,
    wider,
    loaded,
    vue,
    asked: asked.splice(0),
  };
}

const found = [];
for (const path of process.argv.slice(3)) found.push(await shown(JSON.parse(readFileSync(path, "utf8"))));
console.log(JSON.stringify(found));
