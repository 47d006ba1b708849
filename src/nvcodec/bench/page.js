const hidden = new Set();
const DASH = {nvc: "", baseline: "7 5", published: "2 4"};
const codecs = [...new Set(data.curves.map(c => c.codec))];
let chosen = null;

function shownCurves() {
  return data.curves.filter(c => c.sequence === $("sequence").value);
}
function value(point, metric) {
  return point.quality[metric] ?? point.speed[metric];
}
function front(points, metric) {
  if (metric in data.speeds) return points;
  const best = [];
  for (const p of [...points].sort((a, b) => a.cost - b.cost || b.quality[metric] - a.quality[metric]))
    if (!best.length || p.quality[metric] > best.at(-1).quality[metric]) best.push(p);
  return best;
}

/* ---- the plot ---- */
function drawCurves() {
  const metric = $("metric").value, isSpeed = metric in data.speeds;
  const all = shownCurves().map(curve => {
    const points = curve.points.filter(p => value(p, metric) !== undefined), best = front(points, metric);
    const drawn = p => ({x: p.cost, y: value(p, metric), isHollow: !best.includes(p), isChosen: p === chosen?.point, point: p});
    const look = {color: curve.color, dash: DASH[curve.kind], mark: MARKS[codecs.indexOf(curve.codec) % MARKS.length]};
    return {...look, curve, points: points.map(drawn), line: best.map(drawn)};
  });
  drawLegend(all);
  drawPlot($("plot"), all.filter(c => !hidden.has(c.curve.codec)), {
    xLabel: data.axis.label, yLabel: data.metrics[metric] ?? data.speeds[metric],
    isLogX: $("scale").value === "log", isLogY: isSpeed, xFromZero: true, tip: factsOf,
    choose: ({curve}, {point}) => choose(curve, point),
  });
}
function drawLegend(curves) {
  $("legend").replaceChildren(...curves.map(drawn => {
    const name = drawn.curve.codec;
    const toggle = () => { hidden.has(name) ? hidden.delete(name) : hidden.add(name); drawCurves(); };
    return make("button", {className: hidden.has(name) ? "off" : "", onclick: toggle}, sampleOf(drawn), name);
  }));
}
function factsOf({curve}, {point}) {
  const qualities = Object.entries(point.quality).map(([m, v]) => [data.metrics[m], v.toFixed(3)]);
  return [`${curve.codec}  ${point.name}`, [[data.axis.unit, point.cost.toPrecision(4)], ...qualities, ...point.facts]];
}

/* ---- tables ---- */
function drawTables() {
  const shown = $("metric").value, metric = shown in data.metrics ? shown : Object.keys(data.metrics)[0];
  const own = data.comparisons.filter(c => c.metric === metric);
  const sequences = [...new Set(own.map(c => c.sequence))];
  $("delta").textContent = data.axis.delta;
  $("anchor").textContent = `${data.anchor}, ${data.metrics[metric]}`;
  sortable($("bd"), ["codec", ...sequences], [...new Set(own.map(c => c.codec))].map(codec => ({cells: [codec, ...sequences.map(s => {
    const found = own.find(c => c.codec === codec && c.sequence === s);
    if (!found) return ["", ""];
    return found.percent === null ? [found.text, ""] : [`${found.percent >= 0 ? "+" : ""}${found.percent.toFixed(1)} % (${found.text})`, found.percent];
  })]})));
  const names = Object.keys(data.metrics).filter(m => shownCurves().some(c => c.points.some(p => m in p.quality)));
  const fact = (point, name) => (point.facts.find(([label]) => label === name) || ["", ""])[1];
  const columns = ["bytes", "kbit/s", "encoded in s", "decoded frames/s", "parameters", "GMAC/frame"];
  const rows = shownCurves().flatMap(curve => curve.points.map(point => ({
    cells: [curve.codec, point.name, [point.cost.toFixed(5), point.cost],
      ...names.map(m => m in point.quality ? [point.quality[m].toFixed(3), point.quality[m]] : ["", ""]),
      ...columns.map(name => [fact(point, name), fact(point, name).replaceAll(",", "")])],
    onclick: () => choose(curve, point), isChosen: chosen && point === chosen.point,
  })));
  sortable($("points"), ["codec", "point", data.axis.unit, ...names.map(m => data.metrics[m]), ...columns], rows, 2);
  offer($("csv"), [...$("points").rows].map(row => [...row.cells].map(cell => cell.dataset.value ?? cell.textContent)));
}

/* ---- pictures ---- */
function pictured() {
  return shownCurves().flatMap(curve => curve.points.filter(p => p.key in data.pictures).map(point => ({curve, point})));
}
function choose(curve, point) {
  chosen = {curve, point};
  if (point.key in data.pictures) {
    const others = pictured().filter(o => o.curve.kind !== curve.kind);
    const gap = o => Math.abs(Math.log(o.point.cost / point.cost));
    const nearest = others.sort((a, b) => gap(a) - gap(b))[0];
    const [ours, theirs] = curve.kind === "nvc" || !nearest ? [point, nearest?.point] : [nearest.point, point];
    $("left").value = ours.key;
    $("right").value = theirs ? theirs.key : "source";
    drawPictures();
  }
  drawCurves(); drawTables();
}
function fillViewer() {
  const entries = pictured().map(({curve, point}) => [point.key, `${curve.codec}  ${point.name}  ${point.cost.toFixed(4)} ${data.axis.unit}`]);
  const source = data.sources[$("sequence").value];
  $("viewer").hidden = !(source in data.pictures) || !entries.length;
  if ($("viewer").hidden) return;
  for (const id of ["left", "right"]) fill($(id), [["source", "source"], ...entries]);
  const ours = pictured().filter(o => o.curve.kind === "nvc"), theirs = pictured().filter(o => o.curve.kind !== "nvc");
  const gap = o => Math.min(...theirs.map(other => Math.abs(Math.log(o.point.cost / other.point.cost))));
  const first = ours.sort((a, b) => gap(a) - gap(b))[0] || theirs[0];  // of the pair nearest in rate
  choose(first.curve, first.point);
}
function drawPictures() {
  const source = data.sources[$("sequence").value], metric = $("metric").value;
  const side = key => {
    const found = pictured().find(o => o.point.key === key);
    if (!found) return [data.pictures[source], "source"];
    const {curve, point} = found, quality = value(point, metric);
    const measured = quality === undefined ? "" : `, ${quality.toFixed(2)} ${data.metrics[metric] ?? data.speeds[metric]}`;
    return [data.pictures[key], `${curve.codec} ${point.name}: ${point.cost.toFixed(4)} ${data.axis.unit}${measured}`];
  };
  showPictures(...side($("source").checked ? "source" : $("left").value), ...side($("right").value));
}
$("left").onchange = $("right").onchange = $("source").onchange = drawPictures;

/* ---- the switches ---- */
fill($("sequence"), [...new Set(data.curves.map(c => c.sequence))].map(s => [s, s]));
fill($("metric"), Object.entries({...data.metrics, ...data.speeds})
  .filter(([m]) => data.curves.some(c => c.points.some(p => value(p, m) !== undefined))));
const points = data.curves.map(({color, ...curve}) => curve);
$("json").href = "data:application/json;charset=utf-8," + encodeURIComponent(JSON.stringify(points, null, 1));
$("sequence").onchange = () => { chosen = null; drawCurves(); drawTables(); fillViewer(); };
$("metric").onchange = () => { drawCurves(); drawTables(); if (!$("viewer").hidden) drawPictures(); };
$("scale").onchange = drawCurves;
window.onresize = () => { drawCurves(); if (!$("viewer").hidden) placePictures(); };
$("sequence").onchange();
