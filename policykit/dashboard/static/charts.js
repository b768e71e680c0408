// Charts, drawn by uPlot from the tables beside them: what a chart shows can be read.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const made = new WeakMap();

const cells = (row) => [...row.cells];
const at = (row) => Number(row.cells[0].dataset.at) / 1000;

/** Times on the axis in UTC: with seconds for minutes, with the date for days. */
function stamps(plot, splits, axis, space, step) {
  return splits.map((second) => {
    const text = new Date(second * 1000).toISOString();
    if (step >= 86_400) return text.slice(5, 10);
    return step >= 60 ? text.slice(11, 16) : text.slice(11, 19);
  });
}

function axes(ink, line) {
  const base = { stroke: ink, font: "12px system-ui, sans-serif", ticks: { show: false } };
  return [
    { ...base, values: stamps, grid: { show: false }, size: 26, space: 74 },
    { ...base, grid: { stroke: line, width: 1 }, size: 48, space: 36 },
  ];
}

/** Bars of each bucket, one outcome on top of the other: the tallest is drawn first, the lower ones over it. */
function stacked(table, ink, line) {
  const rows = [...table.tBodies[0].rows];
  const bucket = Number(table.dataset.bucket) / 1000;
  const counts = rows.map((row) => cells(row).slice(1).map((cell) => Number(cell.textContent)));
  const sums = counts.map(([allow, deny, shadow]) => [allow + deny + shadow, allow + shadow, allow]);
  const bars = uPlot.paths.bars({ size: [0.82, 40], align: 1 });
  const series = (name, fill) => ({ label: name, paths: bars, fill, stroke: fill, width: 0, points: { show: false } });
  return {
    data: [rows.map(at), ...[0, 1, 2].map((which) => sums.map((sum) => sum[which]))],
    series: [{}, series("denied", colour("--deny")), series("would deny", colour("--shadow")), series("allowed", colour("--allow"))],
    axes: axes(ink, line),
    scales: {
      x: { time: true, range: () => [Number(table.dataset.from) / 1000, Math.max(Number(table.dataset.to) / 1000, at(rows[rows.length - 1]) + bucket)] },
      y: { range: (_, low, high) => [0, Math.max(high, 4)] },
    },
  };
}

/** The day's loss against its limit. */
function loss(table, ink, line, box) {
  const rows = [...table.tBodies[0].rows];
  const values = rows.map((row) => Number(row.cells[1].dataset.value));
  const limit = Number(box.dataset.limit);
  return {
    data: [rows.map(at), values, rows.map(() => limit)],
    series: [
      {},
      { label: "loss", stroke: colour("--allow"), width: 2, fill: colour("--rail"), points: { show: false } },
      { label: "limit", stroke: colour("--deny"), width: 1.5, dash: [6, 4], points: { show: false } },
    ],
    axes: axes(ink, line),
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low), Math.max(limit, high) * 1.05] } },
  };
}

/** Draw, or draw again in other colours or another width. */
export function draw(box) {
  const table = document.getElementById(box.dataset.table);
  if (!table || !table.tBodies[0].rows.length || typeof uPlot === "undefined") return;
  made.get(box)?.destroy();
  const chosen = (box.dataset.chart === "loss" ? loss : stacked)(table, colour("--soft"), colour("--line"), box);
  const { data, ...options } = chosen;
  const size = () => ({ width: box.clientWidth, height: box.clientHeight });
  const plot = new uPlot({ ...size(), ...options, cursor: { show: false }, legend: { show: false }, padding: [8, 20, 0, 0] }, data, box);
  if (!made.has(box)) new ResizeObserver(() => made.get(box)?.setSize(size())).observe(box);
  made.set(box, plot);
}
