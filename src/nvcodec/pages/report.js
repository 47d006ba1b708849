const COLORS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b"];
const CURVES = {psnr_db: "PSNR of some frames (dB)", rate_bpp: "size (bpp)", size_bytes: "size (bytes)"};

function fillRows(table, rows) {
  table.tBodies[0].replaceChildren(...rows.map(row => make("tr", {}, ...row.map(text => make("td", {textContent: text})))));
}
function clock(seconds) {
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0"), minutes = Math.floor(seconds / 60) % 60, hours = Math.floor(seconds / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/* ---- the curve ---- */
function drawCurve() {
  const shown = $("curveShown").value, over = $("curveOver").value;
  const curves = [...new Set(data.curve.map(p => p.segment))].map((segment, n) => ({
    segment, color: COLORS[n % COLORS.length], mark: MARKS[n % MARKS.length], dash: n % 2 ? "7 5" : "",
    points: data.curve.filter(p => p.segment === segment).map(p => ({x: p[over], y: p[shown], of: p})),
  }));
  drawPlot($("curvePlot"), curves, {
    xLabel: over === "step" ? "steps" : "seconds", yLabel: CURVES[shown], xFromZero: true, height: 300,
    tip: (curve, {of}) => [`segment ${of.segment}, ${of.stage}, step ${of.step.toLocaleString("en")}`, [
      ["after", clock(of.seconds)], ["PSNR", `${of.psnr_db.toFixed(2)} dB`],
      ["size", `${of.size_bytes.toLocaleString("en")} bytes, ${of.rate_bpp.toFixed(4)} bpp`]]],
  });
  if (curves.length > 1)
    $("curveLegend").replaceChildren(...curves.map(curve => make("span", {}, sampleOf(curve), `segment ${curve.segment}`)));
}

/* ---- by frame ---- */
const paired = new Set(data.pairs.map(pair => pair.frame));
function drawFrames() {
  const metric = $("metric").value, current = data.pairs[$("pair").value];
  const points = data.metrics[metric].flatMap((y, n) => y === null ? [] : [{x: data.firstFrame + n, y}]);
  const drawn = points.map(p => ({...p, isChosen: p.x === current?.frame}));
  const curve = {color: COLORS[0], mark: MARKS[0], points: drawn};
  const shown = {color: COLORS[4], mark: MARKS[3], points: drawn.filter(p => paired.has(p.x)), line: []};
  drawPlot($("framesPlot"), [curve, ...(shown.points.length ? [shown] : [])], {
    xLabel: "frame", yLabel: metric, height: 300,
    tip: (curve, p) => [`frame ${p.x}`, Object.entries(data.metrics).map(([name, all]) => [name, all[p.x - data.firstFrame]?.toFixed(4) ?? "none"])],
    choose: (curve, p) => choosePair(data.pairs.findIndex(pair => pair.frame === p.x)),
  });
  const values = points.map(p => p.y), worst = points.reduce((a, b) => b.y < a.y ? b : a, points[0]);
  const best = points.reduce((a, b) => b.y > a.y ? b : a, points[0]);
  $("framesNote").textContent = !points.length ? "" : `${metric}: mean ${(values.reduce((a, b) => a + b) / values.length).toFixed(3)}, ` +
    `lowest ${worst.y.toFixed(3)} (frame ${worst.x}), highest ${best.y.toFixed(3)} (frame ${best.x}).` +
    (paired.size ? " Diamonds are frames shown below; click one." : "");
}
function choosePair(number) {
  if (number < 0) return;
  $("pair").value = number;
  const pair = data.pairs[number];
  showPictures(pair.left, pair.leftLabel, pair.right, pair.rightLabel);
  if (!$("frames").hidden) drawFrames();
}

/* ---- everything ---- */
$("title").textContent = data.title;
fillRows($("facts"), data.facts);
$("warnings").replaceChildren(...data.warnings.map(text => make("p", {className: "warning", textContent: text})));
$("curve").hidden = !data.curve.length;
$("frames").hidden = !Object.keys(data.metrics).length;
$("viewer").hidden = !data.pairs.length;
fill($("curveShown"), Object.entries(CURVES));
fill($("metric"), Object.keys(data.metrics).map(name => [name, name]));
fill($("pair"), data.pairs.map((pair, n) => [n, pair.label]));
$("curveNote").textContent = data.curveNote;
const columns = Object.keys(data.curve[0] ?? {}), names = Object.keys(data.metrics);
offer($("curveCsv"), [columns, ...data.curve.map(point => columns.map(name => point[name]))]);
offer($("framesCsv"), [["frame", ...names], ...(data.metrics[names[0]] ?? []).map((_, n) => [data.firstFrame + n, ...names.map(name => data.metrics[name][n] ?? "")])]);
for (const {title, head, rows, shares} of data.tables) {
  const bar = n => make("td", {className: "words"}, Object.assign(make("span", {className: "share"}), {style: `width: ${Math.max(100 * shares[n], .5)}px`}));
  const line = (row, n) => make("tr", {}, ...row.map((text, k) => make("td", {textContent: text, className: k ? "" : "words"})), ...(shares ? [bar(n)] : []));
  const top = make("tr", {}, ...head.map(text => make("th", {textContent: text})), ...(shares ? [make("th", {})] : []));
  const table = make("table", {}, make("thead", {}, top), make("tbody", {}, ...rows.map(line)));
  $("tables").append(make("h2", {textContent: title}), make("div", {className: "scroll"}, table));
}
$("settings").hidden = !data.settings.length;
fillRows($("settings").querySelector("table"), data.settings);
$("text").hidden = !data.text;
$("text").querySelector("pre").textContent = data.text;
$("curveShown").onchange = $("curveOver").onchange = drawCurve;
$("metric").onchange = drawFrames;
$("pair").onchange = () => choosePair(Number($("pair").value));
window.onresize = () => {
  if (!$("curve").hidden) drawCurve();
  if (!$("frames").hidden) drawFrames();
  if (!$("viewer").hidden) placePictures();
};
window.onresize();
choosePair(data.pairs.length ? 0 : -1);
