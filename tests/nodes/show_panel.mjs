// Shows saved panels as web/owf.js does in ComfyUI's page, on as much of a page as it needs, and writes their texts.
// node show_panel.mjs SCRIPT PANEL...: for each panel a JSON list of its texts, its buttons and its pictures. A file with
// "events", a list of names and details, is no panel, but what ComfyUI's server says of a node that has none yet.
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
    this[name] = value;
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
const listeners = {};
const graph = { getNodeById: (id) => (id === 7 ? current : null), get _nodes() { return [current]; } };
globalThis.owfTest = {
  app: { registerExtension: (given) => (extension = given), graph },
  api: { apiURL: (path) => path, addEventListener: (name, act) => (listeners[name] = act) },
};
await import(pathToFileURL(process.argv[2]));
extension.setup();

const all = (element) => (element instanceof Element ? [element, ...element.children.flatMap(all)] : []);

function shown(panel) {
  let options = null;
  const node = {
    comfyClass: "OWF_ShowReport",
    size: [420, 300],
    computeSize: () => [420, options.getMinHeight() + 60],
    setSize: (size) => (node.size = size),
    addDOMWidget: (name, kind, element, given) => ((options = given), {}),
  };
  extension.nodeCreated(node); // empty, as when a workflow is being loaded
  node.properties = panel?.events ? {} : { owf_panel: panel };
  node.onConfigure({});
  current = node;
  for (const [name, detail] of panel?.events ?? []) listeners[name]({ detail });
  const elements = all(node.owfElement);
  // As tall as its content when that is laid out, and as it was while it is not on the screen.
  const heights = [123, 2000, 0, 50].map((height) => {
    node.owfContent.offsetHeight = height;
    node.onConfigure({});
    return node.size[1] - 60;
  });
  return {
    texts: elements.flatMap((element) => element.children.filter((child) => typeof child === "string")),
    classes: elements.flatMap((element) => element.className.split(" ")),
    pictures: elements.filter((element) => element.tag === "img").map((element) => element.src),
    warnings: warnings.splice(0),
    heights,
  };
}

console.log(JSON.stringify(process.argv.slice(3).map((path) => shown(JSON.parse(readFileSync(path, "utf8"))))));
