// What ComfyUI says of nodes when it refuses to queue a graph. It tells the page alone who asked, in its answer, and the page
// tells nobody: so the answer is looked at on its way.
import { api } from "../../scripts/api.js";

/** Call `tell` after every attempt to queue a graph, with a list of [id of a node, what is wrong there]. */
export function watchRefusals(tell) {
  const queue = api.queuePrompt;
  api.queuePrompt = async function (...asked) {
    try {
      const answer = await queue.apply(this, asked);
      tell(sentences(answer?.node_errors)); // other outputs of the graph may run
      return answer;
    } catch (error) {
      tell(sentences(error?.response?.node_errors));
      throw error;
    }
  };
}

function sentences(errors) {
  return Object.entries(errors ?? {}).map(([id, found]) => [id, [...new Set((found?.errors ?? []).map(sentence))].join(" ")]);
}

/** Return one error in words; what a node's own check says stands behind the name of an input, once for each of them. */
function sentence(error) {
  const details = String(error?.details ?? "");
  if (error?.type !== "custom_validation_failed") return `${error?.message ?? ""}: ${details}.`;
  const input = `${error.extra_info?.input_name ?? ""} - `;
  return details.startsWith(input) ? details.slice(input.length) : details;
}
