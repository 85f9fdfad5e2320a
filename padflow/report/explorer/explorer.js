// SPDX-License-Identifier: BSD-3-Clause
"use strict";
const page = JSON.parse(document.getElementById("data").textContent);
const run = document.getElementById("data").dataset.run;
const ALL = -1;

// Arrays come as float32 in base64, with their shapes; at(name, i, j, ...) reads one number.
const arrays = {};
for (const [name, { shape, float32 }] of Object.entries(page.arrays)) {
  const bytes = Uint8Array.from(atob(float32), (character) => character.charCodeAt(0));
  arrays[name] = { shape, values: new Float32Array(bytes.buffer) };
}
function at(name, ...index) {
  const { shape, values } = arrays[name];
  return values[index.reduce((place, i, axis) => place * shape[axis] + i, 0)];
}
const range = (n) => [...Array(n).keys()];
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
const count = (number) => number.toLocaleString("en");

const numbers = {
  classes: page.classes.length,
  phases: Math.max(page.phases.length, 1),
  sectors: page.sectors.length,
  rings: page.regionL.length - 1,
};
const none = numbers.classes - 1;
const select = (id) => document.getElementById(id);
const chosen = (id) => (select(id) ? Number(select(id).value) : ALL);

function fill(id, words, all) {
  if (!select(id)) return;
  const options = words.map((word, i) => new Option(word, i));
  select(id).replaceChildren(...(all ? [new Option(all, ALL)] : []), ...options);
}
fill("class", page.classes);
fill("energy", page.energies);
fill("l", range(numbers.rings).map((i) => `${page.regionL[i]} to ${page.regionL[i + 1]}`), "all");
fill("mlt", page.sectors, "all");
fill("phase", page.phases, "all");

function regions() {
  const [l, mlt] = [chosen("l"), chosen("mlt")];
  if (l === ALL && mlt === ALL) return range(arrays.counts.shape[2]);
  return range(numbers.rings * numbers.sectors).filter(
    (region) =>
      (l === ALL || Math.floor(region / numbers.sectors) === l) && (mlt === ALL || region % numbers.sectors === mlt),
  );
}
const phases = () => (chosen("phase") === ALL ? range(numbers.phases) : [chosen("phase")]);

function records(pad_class) {
  return sum(phases().flatMap((phase) => regions().map((region) => at("counts", pad_class, phase, region))));
}

// Mean and standard deviation at each pitch angle, over some classes; null where too few records have a value.
function meanPad(classes) {
  return page.angles.map((_, angle) => {
    let [n, total, squares] = [0, 0, 0];
    for (const pad_class of classes)
      for (const phase of phases())
        for (const region of regions()) {
          const index = [pad_class, phase, region, chosen("energy"), angle];
          n += at("number", ...index);
          total += at("ratio", ...index);
          squares += at("squares", ...index);
        }
    if (n < page.fewest) return { mean: null, deviation: null };
    const mean = total / n;
    return { mean, deviation: Math.sqrt(Math.max(squares / n - mean * mean, 0)) };
  });
}

const FONT = { family: 'system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif', size: 13, color: "#1f2328" };
const OPTIONS = { responsive: true, displayModeBar: false };
const layout = (more) => ({
  font: FONT, margin: { l: 60, r: 15, t: 35, b: 50 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", ...more,
});
const axis = (title, more) => ({
  title: { text: title }, linecolor: "#59636e", showline: true, ticks: "outside", gridcolor: "#eceff2", zeroline: false, ...more,
});

function drawPad(pad_class) {
  const colour = page.colours[pad_class];
  const own = meanPad([pad_class]);
  const all = meanPad(range(none));
  const known = own.map((pad, i) => [page.angles[i], pad]).filter(([, pad]) => pad.mean !== null);
  const back = [...known].reverse();
  const traces = [
    {
      x: [...known, ...back].map(([angle]) => angle),
      y: [...known.map(([, p]) => p.mean + p.deviation), ...back.map(([, p]) => Math.max(p.mean - p.deviation, 0))],
      fill: "toself", fillcolor: colour + "33", line: { width: 0 }, hoverinfo: "skip", showlegend: false, mode: "lines",
    },
    {
      x: page.angles, y: all.map((pad) => pad.mean), name: "all classes", mode: "lines",
      line: { color: "#59636e", dash: "dash" },
    },
    {
      x: page.angles, y: own.map((pad) => pad.mean), name: page.classes[pad_class], mode: "lines+markers",
      line: { color: colour, width: 2.5 },
    },
  ];
  const title = known.length ? `Mean distribution at ${page.energies[chosen("energy")]}` : "Too few records with counts";
  const y = axis("flux / average", { rangemode: "tozero" });
  const x = axis("local pitch angle (degrees)", { range: [0, 180], dtick: 30 });
  Plotly.react("pad", traces, layout({ title: { text: title, font: { size: 15 } }, xaxis: x, yaxis: y, legend: { x: 0.5, xanchor: "center", y: 0.02, yanchor: "bottom" } }), OPTIONS);
  return own;
}

function drawMap(pad_class) {
  const [bins, hours] = arrays.cells.shape.slice(2);
  const inCell = (which, l, mlt) => sum(which.flatMap((c) => phases().map((phase) => at("cells", c, phase, l, mlt))));
  const everyone = range(numbers.classes);
  const shares = range(bins).map((l) =>
    range(hours).map((mlt) => {
      const n = inCell(everyone, l, mlt);
      return n < page.fewest ? null : (100 * inCell([pad_class], l, mlt)) / n;
    }),
  );
  const middles = (edges) => edges.slice(1).map((edge, i) => (edge + edges[i]) / 2);
  const trace = {
    type: "heatmap", x: middles(page.edgesMLT), y: middles(page.edgesL), z: shares, colorscale: "Viridis", zmin: 0,
    colorbar: { title: { text: "% of records", side: "right" }, thickness: 14 },
    hovertemplate: "MLT %{x} h, L %{y}<br>%{z:.1f} % of the records<extra></extra>",
  };
  const words = { text: `Share of "${page.classes[pad_class]}"`, font: { size: 15 } };
  const x = axis("MLT (h)", { range: [0, 24], dtick: 3 });
  const y = axis("L", { range: [page.edgesL[0], page.edgesL.at(-1)] });
  Plotly.react("map", [trace], layout({ title: words, xaxis: x, yaxis: y, shapes: frames() }), OPTIONS);
}

// Frames around the chosen region; the night goes over midnight and has two.
function frames() {
  const [l, mlt] = [chosen("l"), chosen("mlt")];
  if (l === ALL && mlt === ALL) return [];
  const [low, high] = l === ALL ? [page.regionL[0], page.regionL.at(-1)] : [page.regionL[l], page.regionL[l + 1]];
  const hours = mlt === ALL ? [[0, 24]] : mlt === 0 ? [[0, 3], [21, 24]] : [[6 * mlt - 3, 6 * mlt + 3]];
  return hours.map(([x0, x1]) => ({ type: "rect", x0, x1, y0: low, y1: high, line: { color: "#D55E00", width: 3 } }));
}

function drawBars(pad_class) {
  const every = range(numbers.classes).map(records);
  const trace = {
    type: "bar", orientation: "h", y: page.classes, x: every,
    marker: { color: page.colours, opacity: range(numbers.classes).map((c) => (c === pad_class ? 1 : 0.45)) },
    hovertemplate: "%{x:,} records<extra></extra>",
  };
  const y = axis("", { autorange: "reversed", automargin: true, showgrid: false });
  Plotly.react("bars", [trace], layout({ title: { text: "Records by class", font: { size: 15 } }, xaxis: axis("records", { rangemode: "tozero" }), yaxis: y }), OPTIONS);
  return every;
}

function listDays(pad_class) {
  const days = page.days.map((day, i) => [day, at("by_day", i, pad_class)]).filter(([, n]) => n > 0);
  days.sort((a, b) => b[1] - a[1]);
  const items = days.slice(0, 8).map(([day, n]) => {
    const item = document.createElement("li");
    const code = document.createElement("code");
    code.textContent = `padflow view ${/^[\w./-]+$/.test(run) ? run : `'${run}'`} ${day}`;
    item.append(`${day}: ${count(n)} records, `, code);
    return item;
  });
  select("days").replaceChildren(...items);
}

function draw() {
  const pad_class = chosen("class");
  drawPad(pad_class);
  drawMap(pad_class);
  const every = drawBars(pad_class);
  listDays(pad_class);
  const word = (id, before) => (chosen(id) === ALL ? [] : [before + select(id).selectedOptions[0].text]);
  const places = [...word("l", "L "), ...word("mlt", "MLT: "), ...word("phase", "storm phase: ")].join("; ");
  const [own, whole] = [every[pad_class], sum(every)];
  const what = pad_class === none ? "have no class" : `are of class ${page.classes[pad_class]}`;
  const found = whole ? `${count(own)} of ${count(whole)} records (${share(own, whole)}) ${what}.` : "No record was measured there.";
  select("found").textContent = places ? `${places}. ${found}` : found;
  select("pad").setAttribute("aria-label", `Mean pitch-angle distribution. ${select("found").textContent}`);
  select("map").setAttribute("aria-label", `Map of the share of ${page.classes[pad_class]} over MLT and L`);
  select("bars").setAttribute("aria-label", `Records by class: ${page.classes.map((c, i) => `${c} ${count(every[i])}`).join("; ")}`);
  document.documentElement.dataset.drawn = Math.round(performance.now());
}

function choose(values) {
  for (const [id, value] of Object.entries(values)) if (select(id)) select(id).value = value;
  draw();
}
select("choices").addEventListener("change", draw);
select("choices").addEventListener("submit", (event) => event.preventDefault());
select("reset").addEventListener("click", () => choose({ l: ALL, mlt: ALL, phase: ALL }));
draw();
document.getElementById("map").on("plotly_click", ({ points: [{ x, y }] }) => {
  const ring = page.regionL.findIndex((edge, i) => i < numbers.rings && y >= edge && y < page.regionL[i + 1]);
  choose({ l: ring, mlt: Math.floor(((x + 3) % 24) / 6) });
});
