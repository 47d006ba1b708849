/* What all pages share: a plot of lines, tables that sort, two pictures behind a slider. */
const $ = id => document.getElementById(id);
const MARKS = [  // so that curves differ without colours
  "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0Z", "M-5 -5H5V5H-5Z", "M0 -6.5L6 4.5H-6Z", "M0 -7L7 0L0 7L-7 0Z",
  "M0 6.5L6 -4.5H-6Z", "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z", "M0 -6.5L6.2 -2L3.8 5.3H-3.8L-6.2 -2Z",
];

function element(name, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}
function make(name, properties, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}
function fill(select, entries) {
  const before = select.value;
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (entries.some(([value]) => value === before)) select.value = before;
}

/* ---- a plot ---- */
function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * (1 - 1e-9)), result = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high * (1 + 1e-12); n++) result.push(+(n * step).toPrecision(12));
  return result;
}
function logTicks(low, high) {
  const result = [];
  for (let e = Math.floor(Math.log10(low)); 10 ** e <= high; e++)
    for (const f of [1, 2, 5]) { const v = +(f * 10 ** e).toPrecision(3); if (v >= low && v <= high) result.push(v); }
  return result.length > 1 ? result : ticks(low, high, 5);
}
function spaced(marks, place, least) {
  const kept = [];
  for (const v of marks) if (!kept.length || Math.abs(place(v) - place(kept.at(-1))) >= least) kept.push(v);
  return kept;
}
function scaleOf(values, low, high, isLog, fromZero) {
  let [v0, v1] = [Math.min(...values), Math.max(...values)];
  const pad = Math.max((v1 - v0) * .06, 1e-3);
  [v0, v1] = isLog ? [v0 / 1.15, v1 * 1.15] : fromZero ? [0, v1 * 1.05 || 1] : [v0 - pad, v1 + pad];
  const along = isLog ? v => Math.log(v / v0) / Math.log(v1 / v0) : v => (v - v0) / (v1 - v0);
  const place = v => low + along(v) * (high - low), room = Math.abs(high - low), isUpright = low > high;
  const marks = isLog ? logTicks(v0, v1) : ticks(v0, v1, Math.min(8, room / (isUpright ? 45 : 70)));
  return {place, marks: spaced(marks, place, isUpright ? 18 : 46)};
}
/* Curves are {color, dash, mark, points: [{x, y, isHollow, isChosen, ...}], line: points of the line, or all}. */
function drawPlot(plot, curves, {xLabel, yLabel, isLogX, isLogY, xFromZero, height, tip, choose}) {
  const dots = curves.flatMap(c => c.points), width = Math.max(plot.clientWidth, 280);
  const high = height ?? Math.min(520, Math.max(300, width * .6));
  plot.setAttribute("viewBox", `0 0 ${width} ${high}`);
  plot.replaceChildren();
  const box = {left: 62, right: width - 16, top: 12, bottom: high - 52}, middle = (box.left + box.right) / 2;
  if (!dots.length) {
    plot.append(element("text", {x: width / 2, y: high / 2, "text-anchor": "middle"}, "nothing was measured here"));
    return;
  }
  const x = scaleOf(dots.map(p => p.x), box.left, box.right, isLogX, xFromZero);
  const y = scaleOf(dots.map(p => p.y), box.bottom, box.top, isLogY, false);
  for (const v of x.marks) {
    plot.append(element("line", {class: "grid", x1: x.place(v), x2: x.place(v), y1: box.top, y2: box.bottom}));
    plot.append(element("text", {class: "x", x: x.place(v), y: box.bottom + 18, "text-anchor": "middle"}, v));
  }
  for (const v of y.marks) {
    plot.append(element("line", {class: "grid", x1: box.left, x2: box.right, y1: y.place(v), y2: y.place(v)}));
    plot.append(element("text", {x: box.left - 8, y: y.place(v) + 4, "text-anchor": "end"}, v));
  }
  plot.append(element("text", {x: middle, y: high - 10, "text-anchor": "middle"}, xLabel));
  plot.append(element("text", {transform: `translate(15 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, yLabel));
  for (const curve of curves) {
    const place = p => [x.place(p.x), y.place(p.y)], group = plot.appendChild(element("g", {class: "curve"}));
    const line = {points: (curve.line ?? curve.points).map(place).join(" "), fill: "none", stroke: curve.color, "stroke-width": 2};
    group.append(element("polyline", {...line, "stroke-dasharray": curve.dash ?? ""}));
    const size = Math.max(.3, Math.min(1, (box.right - box.left) / curve.points.length / 9));  // many are small
    for (const point of curve.points) {
      const dot = element("path", {
        class: "dot" + (point.isChosen ? " chosen" : ""), d: curve.mark,
        transform: `translate(${place(point)})` + (size < 1 ? ` scale(${point.isChosen ? 1 : size})` : ""),
        fill: point.isHollow ? "var(--paper)" : curve.color, stroke: curve.color, "stroke-width": 1.5,
      });
      dot.addEventListener("mousemove", event => showTip(event, ...tip(curve, point)));
      dot.addEventListener("mouseleave", () => { $("tip").style.display = "none"; });
      if (choose) dot.addEventListener("click", () => choose(curve, point));
      group.append(dot);
    }
  }
}
function sampleOf(curve) {
  const sample = element("svg", {viewBox: "-17 -7 34 14"});
  sample.append(element("path", {d: "M-17 0H17", stroke: curve.color, "stroke-width": 2, "stroke-dasharray": curve.dash ?? ""}));
  sample.append(element("path", {d: curve.mark, fill: curve.color}));
  return sample;
}
function showTip(event, title, rows) {
  const tip = $("tip");
  tip.replaceChildren(make("b", {textContent: title}), ...rows.map(([name, value]) =>
    make("div", {}, make("span", {textContent: name + "  "}), String(value))));
  tip.style.display = "block";
  const wide = tip.offsetWidth, high = tip.offsetHeight;
  tip.style.left = Math.max(4, event.clientX + 16 + wide > innerWidth ? event.clientX - wide - 16 : event.clientX + 16) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 12, innerHeight - high - 8)) + "px";
}

/* ---- tables ---- */
function sortable(table, head, rows, initial) {
  const body = table.tBodies[0], titles = head.map(text => make("th", {textContent: text}));
  function sort(column, isUp) {
    const value = row => row.cells[column].dataset.value;
    const number = text => text === "" ? NaN : Number(text);
    const sorted = [...body.rows].sort((a, b) => {
      const [p, q] = [number(value(a)), number(value(b))];
      if (Number.isNaN(p) && Number.isNaN(q)) return value(a).localeCompare(value(b)) * (isUp ? 1 : -1);
      if (Number.isNaN(p) || Number.isNaN(q)) return Number.isNaN(p) - Number.isNaN(q);
      return (p - q) * (isUp ? 1 : -1);
    });
    body.replaceChildren(...sorted);
    titles.forEach((title, n) => title.ariaSort = n === column ? (isUp ? "ascending" : "descending") : "none");
  }
  titles.forEach((title, n) => { title.onclick = () => sort(n, title.ariaSort !== "ascending"); });
  table.tHead.replaceChildren(make("tr", {}, ...titles));
  body.replaceChildren(...rows.map(({cells, onclick, isChosen}) => {
    const row = make("tr", {}, ...cells.map(cell => {
      const [text, value] = Array.isArray(cell) ? cell : [cell, cell];
      const node = make("td", {textContent: text});
      node.dataset.value = value;
      if (typeof value === "string" && value !== "" && Number.isNaN(Number(value))) node.className = "words";
      return node;
    }));
    if (onclick) row.onclick = onclick;
    if (isChosen) row.className = "chosen";
    return row;
  }));
  titles.forEach((title, n) => { title.className = body.rows[0]?.cells[n].className ?? ""; });
  if (initial !== undefined) sort(initial, true);
}
function offer(link, rows) {
  const quoted = cell => `"${String(cell).replaceAll('"', '""')}"`;
  const csv = rows.map(row => row.map(quoted).join(",")).join("\r\n");
  link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(csv);
}

/* ---- two pictures ---- */
const view = {x: 0, y: 0, zoom: 1, split: .5};
function showPictures(left, leftTag, right, rightTag) {
  $("imageA").src = left; $("tagA").textContent = leftTag;
  $("imageB").src = right; $("tagB").textContent = rightTag;
  placePictures();
}
function placePictures() {
  const image = $("imageB"), stage = $("stage"), [w, h] = [image.naturalWidth, image.naturalHeight];
  if (!w) return;
  if ($("zoom").value === "fit") {
    view.zoom = Math.min(stage.clientWidth / w, stage.clientHeight / h);
    view.x = (stage.clientWidth - w * view.zoom) / 2; view.y = (stage.clientHeight - h * view.zoom) / 2;
  }
  for (const id of ["imageA", "imageB"]) $(id).style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  const isDifference = $("difference").checked;
  stage.classList.toggle("difference", isDifference);
  $("clip").style.clipPath = isDifference ? "none" : `inset(0 ${100 - 100 * view.split}% 0 0)`;
  $("bar").style.left = 100 * view.split + "%";
}
function zoomTo(zoom, x, y) {
  const f = zoom / view.zoom;
  view.x = x - (x - view.x) * f; view.y = y - (y - view.y) * f; view.zoom = zoom;
  placePictures();
}
function splitAt(split) {
  view.split = split;
  $("split").value = 1000 * split;
  placePictures();
}
if ($("stage")) {
  $("imageB").onload = placePictures;
  $("split").oninput = () => splitAt($("split").value / 1000);
  $("difference").onchange = placePictures;
  $("swap").onclick = () => splitAt(view.split < 1 ? 1 : 0);
  $("zoom").onchange = () => {
    if ($("zoom").value === "fit") placePictures();
    else zoomTo(Number($("zoom").value), $("stage").clientWidth / 2, $("stage").clientHeight / 2);
  };
  $("stage").onwheel = event => {
    event.preventDefault();
    const levels = [...$("zoom").options].slice(1).map(o => Number(o.value)), isIn = event.deltaY < 0;
    const next = isIn ? levels.find(v => v > view.zoom + 1e-6) : levels.filter(v => v < view.zoom - 1e-6).at(-1);
    if (next === undefined) { if (!isIn) { $("zoom").value = "fit"; placePictures(); } return; }
    $("zoom").value = String(next);
    const box = $("stage").getBoundingClientRect();
    zoomTo(next, event.clientX - box.left, event.clientY - box.top);
  };
  $("stage").onpointerdown = event => {
    $("stage").setPointerCapture(event.pointerId);
    const start = [event.clientX - view.x, event.clientY - view.y];
    $("stage").onpointermove = move => {
      $("zoom").value = String(view.zoom);  // no entry for it: the list shows nothing chosen, and nothing is fitted
      view.x = move.clientX - start[0]; view.y = move.clientY - start[1];
      placePictures();
    };
    $("stage").onpointerup = $("stage").onpointercancel = () => { $("stage").onpointermove = null; };
  };
}
