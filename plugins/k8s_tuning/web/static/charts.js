// Health and Jobs over time, drawn with uPlot from the same answers as the API's. Dragging zooms by a navigation.
(() => {
  "use strict";
  const place = document.getElementById("charts");
  if (!place || !window.uPlot) return;
  const LEVELS = ["OK", "WARN", "ERROR"];
  const LEFT = 56, RIGHT = 12; // page.css sets the lane of incidents between the same two lines
  // A day's hours by the 24, dates as everywhere on the page: [step in seconds, text, then the text where a year, month, day … begins].
  const DATE = "\n{MM}-{DD}"; // the year stands in the fields above, and here it would run into its neighbour
  const TICKS = [
    [86400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
    [86400 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
    [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", DATE, null, DATE, null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", DATE, null, DATE, null, null, null, 1],
  ];
  let plots = [];
  let series = null;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** The periods that something is known of: [from, to, index]. One ends where the next begins, or where it is stale. */
  const periods = (known) => {
    const hold = Math.max(known.seconds, known.gap_seconds);
    const end = Math.min(Date.parse(known.until), Date.now()) / 1000;
    return known.at.map((from, i) => {
      const next = i + 1 < known.at.length ? known.at[i + 1] : Math.max(end, from);
      return [from, next - from > hold ? from + (known.seconds || hold) : next, i];
    });
  };

  // WARN and ERROR are recognized by stripes too, not by colour alone.
  const patterns = new Map();
  const fill = (context, level) => {
    if (level === "OK") return color("soft-ok");
    const paint = color(`mark-${level.toLowerCase()}`);
    const key = level + paint;
    if (!patterns.has(key)) {
      const size = 8 * Math.round(devicePixelRatio || 1);
      const tile = Object.assign(document.createElement("canvas"), { width: size, height: size });
      const brush = tile.getContext("2d");
      brush.fillStyle = paint;
      brush.fillRect(0, 0, size, size);
      brush.strokeStyle = color("stripe");
      brush.lineWidth = size / 6;
      brush.beginPath();
      const lines = level === "ERROR" ? [[-1, 1, 1, -1], [0, size, size, 0], [size - 1, size + 1, size + 1, size - 1]] : [[0, size / 2, size, size / 2]];
      for (const [x0, y0, x1, y1] of lines) { brush.moveTo(x0, y0); brush.lineTo(x1, y1); }
      brush.stroke();
      patterns.set(key, context.createPattern(tile, "repeat"));
    }
    return patterns.get(key);
  };

  const swatch = (level) => {
    const paint = color(`mark-${level.toLowerCase()}`);
    if (level === "OK") return `linear-gradient(${paint} 2px, ${color("soft-ok")} 2px)`;
    const stripe = color("stripe");
    return level && `repeating-linear-gradient(${level === "WARN" ? 0 : 135}deg, ${paint} 0 3px, ${stripe} 3px 4px)`;
  };

  /** Draws a bar for each period; `bars(i)` gives [from, to, level] in the y scale's values. */
  const drawer = (bars) => (plot) => {
    const { ctx: context, bbox } = plot;
    context.save();
    context.beginPath();
    context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    context.clip();
    // The failing ones last: where pixels are shared, nothing covers an ERROR.
    const all = periods(series).flatMap(([from, to, i]) => bars(i).map(([low, high, level]) => [from, to, low, high, level]));
    all.sort((a, b) => LEVELS.indexOf(a[4]) - LEVELS.indexOf(b[4]));
    for (const [from, to, low, high, level] of all) {
      // Whole pixels: neighbours meet without a seam, and what is short is still seen, at the newest end too.
      const least = Math.round(2 * (devicePixelRatio || 1));
      const x = Math.min(Math.round(plot.valToPos(from, "x", true)), bbox.left + bbox.width - least);
      const width = Math.max(Math.round(plot.valToPos(to, "x", true)) - x, least);
      const y = Math.round(plot.valToPos(high, "y", true));
      context.fillStyle = fill(context, level);
      context.fillRect(x, y, width, Math.max(1, Math.round(plot.valToPos(low, "y", true)) - y));
      if (level === "OK") {
        context.fillStyle = color("mark-ok");
        context.fillRect(x, y, width, Math.round(1.5 * (devicePixelRatio || 1)));
      }
    }
    context.restore();
  };

  const two = (number) => String(number).padStart(2, "0");
  const utc = (seconds) => new Date(seconds * 1000);
  const clock = (seconds) => {
    const date = utc(seconds);
    return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} UTC`;
  };

  const zoom = (plot) => {
    const { left, width } = plot.select;
    if (width < 5) return;
    const [from, to] = [left, left + width].map((x) => Math.round(plot.posToVal(x, "x")));
    const goal = new URL(place.dataset.link, location.href);
    const text = (seconds) => `${utc(seconds).toISOString().slice(0, 19)}Z`;
    goal.searchParams.set("since", text(from));
    goal.searchParams.set("until", text(Math.max(to, from + 1)));
    location.assign(goal);
  };

  const options = (width, height, rows, scale, values, bars, incrs) => ({
    width, height,
    tzDate: (seconds) => uPlot.tzDate(utc(seconds), "UTC"),
    padding: [8, RIGHT, 0, 0],
    legend: { markers: { width: 0, fill: (plot, i) => swatch(rows.length === 1 ? "" : LEVELS[i - 1]) } },
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, points: { show: false } },
    scales: { x: { min: Date.parse(series.since) / 1000, max: Date.parse(series.until) / 1000 }, y: { range: scale } },
    series: [
      { label: "UTC", value: (plot, at, i, n) => (n === null || at === null ? "–" : clock(at)) },
      ...rows.map((label) => ({ label, paths: () => null, points: { show: false }, stroke: color("text"), value: (plot, value) => (value === null ? "–" : values(value)) })),
    ],
    axes: [
      { stroke: color("muted"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line") }, font: "12px system-ui, sans-serif", values: TICKS },
      { size: LEFT, stroke: color("muted"), grid: { stroke: color("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", space: 16, incrs, values: (plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? values(tick) : "")) },
    ],
    hooks: { drawSeries: [], drawAxes: [drawer(bars)], setSelect: [zoom] },
  });

  const draw = () => {
    const kept = plots.map((plot) => plot.cursor.idx);
    plots.forEach((plot) => plot.destroy());
    patterns.clear();
    const [health, jobs] = ["health-chart", "jobs-chart"].map((id) => document.getElementById(id));
    const width = Math.max(240, health.clientWidth);
    const most = Math.max(1, ...series.at.map((_, i) => series.jobs_ok[i] + series.jobs_warn[i] + series.jobs_error[i]));
    const level = (value) => LEVELS[value - 1] ?? "";
    const count = (value) => new Intl.NumberFormat(document.documentElement.lang).format(value);
    const stacked = (i) => {
      const [error, warn, ok] = [series.jobs_error[i], series.jobs_warn[i], series.jobs_ok[i]];
      return [[0, error, "ERROR"], [error, error + warn, "WARN"], [error + warn, error + warn + ok, "OK"]].filter(([low, high]) => high > low);
    };
    plots = [
      new uPlot(
        options(width, 150, [place.dataset.health], () => [0, 3.15], level, (i) => [[0, series.worst[i] + 1, LEVELS[series.worst[i]]]], [1]),
        [series.at, series.worst.map((worst) => worst + 1)], health),
      new uPlot(
        options(width, 200, LEVELS, () => [0, most * 1.08], count, stacked, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]),
        [series.at, series.jobs_ok, series.jobs_warn, series.jobs_error], jobs),
    ];
    for (const [plot, words] of [[plots[0], place.dataset.healthAlt], [plots[1], place.dataset.jobsAlt]]) {
      const canvas = plot.root.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", words);
    }
    if (kept[0] != null) plots.forEach((plot) => plot.setCursor({ left: plot.valToPos(series.at[kept[0]] ?? 0, "x"), top: 0 }));
  };

  const read = async () => {
    try {
      const response = await fetch(new URL(place.dataset.series, location.href), { headers: { Accept: "application/json" }, cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      series = await response.json();
    } catch {
      if (!series) {
        const words = Object.assign(document.createElement("p"), { textContent: place.dataset.unread });
        place.replaceChildren(words);
      }
      return;
    }
    draw();
  };

  let width = 0;
  new ResizeObserver(() => {
    if (series && Math.abs(place.clientWidth - width) > 1) { width = place.clientWidth; draw(); }
  }).observe(place);
  new MutationObserver(() => series && draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", () => series && draw());
  }
  document.addEventListener("k8s-tuning:refreshed", () => { if (!plots.some((plot) => plot.select.width > 0)) read(); });
  read();
})();
