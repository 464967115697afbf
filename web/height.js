// How high a node is: as much higher as its panel needs, and no more than that is taken back.

export const LEAST = 40; // pixels of a panel: one line, until the browser has laid out more
export const EDGE = 10; // pixels that ComfyUI leaves around an element on each side

/**
 * Make a node higher where its panel does not fit, and less high by what a panel that became shorter leaves. Only what was
 * added here is taken back: the height that a user gave a node, or that a workflow brings along, stays.
 */
export function fit(node) {
  const height = Math.ceil(node.owfContent.offsetHeight ?? 0);
  if (!height) return; // it is not on the screen
  node.owfLeft = Math.max(0, (node.owfLeft ?? 0) + node.owfHeight - height); // by how much it was higher than it is
  node.owfHeight = height;
  if (node.size[1] !== node.owfSize) node.owfAdded = 0; // somebody else chose this size
  const missing = lacking(node, height);
  if (missing === null || Math.abs(missing) <= EDGE / 2) return;
  const added = missing > 0 ? missing : -Math.min(-missing, node.owfLeft, node.owfAdded);
  if (!added) return;
  node.owfLeft = added > 0 ? 0 : node.owfLeft + added;
  node.owfAdded += added;
  node.setSize?.([node.size[0], node.size[1] + added]);
  node.owfSize = node.size[1];
  node.setDirtyCanvas?.(true, true);
}

/** Return by how many pixels a node is too low for its panel, less than 0 for one that is too high; null if nobody knows yet. */
function lacking(node, height) {
  if (!globalThis.LiteGraph?.vueNodesMode) return node.computeSize()[1] - node.size[1];
  // Vue nodes fold inputs away, which `computeSize` does not know: there the panel gets what is left of the node.
  const room = node.owfElement.clientHeight;
  return room ? height - room : null;
}
