// How high a node is: as high as its panel needs, or as high as somebody made it.

export const LEAST = 40; // pixels of a panel: one line, until the browser has laid out more
export const EDGE = 10; // pixels that ComfyUI leaves around an element on each side
const OWN = 100; // heights of its panel that a node is remembered to have followed: a drag makes many
const LATER = 64; // pixels of lines that a panel gets after its node was loaded, such as what a run would cost

/**
 * Give a node the height that it needs, or the greater one that a user gave it or a workflow brings along: a panel that
 * becomes shorter makes its node less high again.
 */
export function fit(node) {
  const height = Math.ceil(node.owfContent.offsetHeight ?? 0);
  if (!height) return; // it is not on the screen
  node.owfHeight = height;
  const now = node.size[1];
  const needed = needs(node, height);
  if (needed === null) return;
  if (now !== node.owfSize) {
    // Somebody else chose this size. ComfyUI itself makes room for every input of a node that it loads, folded or not.
    const least = node.owfSize === undefined ? Math.max(needed, node.computeSize()[1]) + LATER : needed + EDGE / 2;
    // Whoever drags a node wider brings back the height that it had when the drag began, until the drag ends.
    const isOwn = (node.owfOwn ?? []).some((own) => Math.abs(now - needed - (own - height)) <= EDGE);
    node.owfGiven = now > least && !isOwn ? now : 0;
  }
  const wanted = Math.max(needed, node.owfGiven);
  if (Math.abs(wanted - now) > EDGE / 2) {
    node.setSize?.([node.size[0], wanted]);
    node.setDirtyCanvas?.(true, true);
  }
  if (!node.owfGiven && node.owfOwn?.at(-1) !== height) node.owfOwn = [...(node.owfOwn ?? []), height].slice(-OWN);
  node.owfSize = node.size[1];
}

/** Return the height that a node needs for its panel; null if nobody knows yet. */
function needs(node, height) {
  if (!globalThis.LiteGraph?.vueNodesMode) return node.computeSize()[1];
  // Vue nodes fold inputs away, which `computeSize` does not know: there the panel gets what is left of the node.
  const room = node.owfElement.clientHeight;
  return room ? node.size[1] + height - room : null;
}
