// The panel of two audits beside each other (nodes/ui/compared.py): numbers on common scales, and the same pictures.
import { PANELS, button, head, make, openReport, picture, some, stateClass, track, turning } from "./panels.js";

const LETTERS = ["A", "B"];

/** Return which LoRA a letter stands for, its verdict, and its report. */
function side(data, place) {
  const name = make("span", "owf-title", `${LETTERS[place]}  ${data.name}`);
  name.title = data.name;
  const badge = make("span", "owf-badge", `${data.symbol} ${data.outcome || data.verdict}`);
  const line = make("div", `owf-head ${stateClass(data.state || data.verdict)}`, badge, name);
  if (data.report) line.append(button("Report", () => openReport(data.report)));
  return line;
}

/** Return one number of both, a line each on one scale, under its name and the difference. */
function number(data) {
  const title = make("div", "owf-bar-text", make("b", "", data.title), make("span", "owf-faint", data.difference && `A − B ${data.difference}`));
  const lines = some(data.bars).slice(0, 2).map((bar, place) => {
    if (!bar) return make("div", "owf-beside", make("b", "", LETTERS[place]), make("span", "owf-faint", "not measured"));
    const value = make("span", "", make("b", "", bar.value), ` (${bar.interval})`);
    const line = make("div", `owf-beside ${stateClass(bar.state)}`, make("b", "", LETTERS[place]), track(bar.at), value);
    line.append(make("small", "owf-milder", data.milder === place ? "milder" : "")); // both lines end at the same place
    line.title = [`95 % ${bar.interval}`, bar.floor && `floor ${bar.floor}`, bar.limit && `${bar.limit_word} ${bar.limit}`, bar.note].filter(Boolean).join("\n");
    return line;
  });
  return make("div", "owf-bar", title, ...lines);
}

/** Return the pictures of one prompt and seed: the base's, and what either LoRA makes of it. */
function pictures(row) {
  const shown = [[row[0].base, "base"], ...row.slice(0, 2).map((pair, place) => [pair.tuned, `${LETTERS[place]}  ${pair.change}`])];
  const cells = shown.map(([url, said]) => make("figure", "", picture(url), make("figcaption", "owf-faint", said)));
  return [make("div", "owf-three", ...cells), make("div", "owf-caption", row[0].prompt)];
}

PANELS.compared = (data) => {
  const notes = some(data.notes).map((note) => make("p", "owf-reason", note));
  const parts = [head(data), ...some(data.sides).slice(0, 2).map(side), ...notes, ...some(data.numbers).map(number)];
  if (data.report) parts.push(make("div", "owf-row", button("Open both side by side", () => openReport(data.report))));
  if (data.pairs.length) parts.push(turning(some(data.pairs), pictures));
  return parts;
};
