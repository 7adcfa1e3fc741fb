// Makes the page live: one bulletin a second from /events, and a clock for the time in which none comes.
"use strict";

const element = (id) => document.getElementById(id);
const texts = document.body.dataset;

/** How long the chart looks back at least and at most, and how many ticks of silence are an outage. */
const SPAN_SECONDS_LEAST = 30;
const SPAN_SECONDS = 300;
const TICK_MS = 500;
const SILENT_TICKS = 10;
const RETRY_MS = 500;

/** `{at, seconds, down}`: when, how many seconds of work were exposed (null: unknown), whether the service was down. */
const history = [];

/** When the outage began and when it ended, and the number of messages before it; null while there was none. */
let outage = null;
let lastHeard = performance.now();
let silentTicks = 0;
let lastCount = null;

const write = (id, text) => {
  const found = element(id);
  const wanted = String(text);
  // A text that stays is left alone: a screen reader would say it again.
  if (found.textContent !== wanted) found.textContent = wanted;
};
const show = (id, visible) => { element(id).hidden = !visible; };
const orUnknown = (value) => (value === null || value === undefined ? "–" : value);

/** The two greatest units, as the server writes it. */
function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

function showState(text, good, reason) {
  write("state-text", text);
  write("reason", reason ?? "");
  element("state").className = good ? "state good" : "state bad";
  document.title = `${text} · ${texts.title}`;
}

/** How far what is stored is protected, as the server writes it. */
function headline({ newest, repository_error, exposed_messages }) {
  if (!newest && !repository_error) return texts.nothingProtected;
  if (exposed_messages === null) return texts.protectionUnknown;
  return exposed_messages === 0 ? texts.allProtected : texts.someUnprotected.replace("{}", exposed_messages);
}

/** What is shown is of before the outage, where the service says nothing. */
function showAsLastKnown(isOld) {
  show("last-known", isOld);
  element("content").classList.toggle("old", isOld);
}

function showContents(contents) {
  const newest = contents.newest;
  write("headline", headline(contents));
  write("count", contents.count);
  write("exposed-seconds", contents.exposed_seconds === null ? "–" : duration(contents.exposed_seconds));
  write("exposed-messages", orUnknown(contents.exposed_messages));
  write("age", newest && newest.age_seconds !== null ? duration(newest.age_seconds) : "–");
  write("file", newest ? newest.file : "–");
  write("rehearsed", contents.rehearsed_seconds === null ? "–" : duration(contents.rehearsed_seconds));
  write("repository-error", contents.repository_error ?? "");
  write("unprotected-reason", contents.unprotected ?? "");
  show("unprotected", contents.unprotected !== null);
  show("no-restore-point", !newest && !contents.repository_error);
  show("unreadable", contents.repository_error !== null);
  show("suspect", newest !== null && newest.is_suspect);
  showMessages(contents.messages);
}

let shown = null;
function showMessages(messages) {
  const key = JSON.stringify(messages);
  if (key === shown) return;
  shown = key;
  element("messages").replaceChildren(...messages.map(row));
  show("none-yet", messages.length === 0);
}

/** Text only, whatever was stored. */
function row({ id, timestamp, message }) {
  const time = document.createElement("time");
  time.dateTime = timestamp;
  const [day, clock] = timestamp.includes("T") ? timestamp.split("T", 2) : ["", timestamp];
  const date = document.createElement("span");
  date.className = "day";
  date.textContent = day;
  time.append(date, " ", clock.split(".")[0]);
  const cells = [id, message, time].map((content) => {
    const cell = document.createElement("td");
    cell.append(content);
    return cell;
  });
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

/** Nothing is heard of the service. */
function silent(text) {
  down(text, null);
  // What there was to protect may be gone.
  write("headline", texts.protectionUnknown);
  showAsLastKnown(true);
}

const isDown = () => outage !== null && outage.ended === null;

function down(text, reason) {
  // A service that does not answer has been away since it was last heard.
  if (!isDown()) {
    outage = { began: lastHeard, ended: null, count: lastCount };
    show("missing", false);
  }
  showState(text, false, reason);
  tick();
}

function up(contents) {
  // Messages went without an outage: the service answers, with wrong data.
  if (!isDown() && lastCount !== null && contents.count < lastCount) {
    outage = { began: lastHeard, ended: null, count: lastCount, answered: true };
  }
  if (isDown()) {
    outage.ended = performance.now();
    const missing = outage.count === null ? 0 : Math.max(0, outage.count - contents.count);
    write("missing-count", missing);
    show("missing", missing > 0);
  }
  if (outage?.answered) showState(texts.fewer, false);
  else showState(outage === null ? texts.up : texts.recovered, true);
}

function heard(bulletin) {
  const { failure, contents } = bulletin;
  silentTicks = 0;
  showAsLastKnown(contents === null);
  if (contents) showContents(contents);
  if (failure === null) {
    up(contents);
    lastHeard = performance.now();
    lastCount = contents.count;
  } else {
    down(texts.unavailable, failure);
  }
  remember(contents ? contents.exposed_seconds : null, failure !== null);
}

function remember(seconds, isDown) {
  const now = performance.now();
  history.push({ at: now, seconds, down: isDown });
  while (history.length > 0 && now - history[0].at > SPAN_SECONDS * 1000) history.shift();
  draw(now);
}

/** The length of the outage, while it lasts and afterwards. */
function tick() {
  if (outage === null) return;
  show("outage", true);
  element("outage").classList.toggle("over", !isDown());
  write("outage-time", duration(((outage.ended ?? performance.now()) - outage.began) / 1000));
}

/** What the top of the chart may stand for, in seconds; beyond, it is the greatest value. */
const SCALES = [10, 30, 60, 120, 300, 600, 1800, 3600];
const WIDTH = 600;
const HEIGHT = 120;

function shape(kind, className, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  made.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Runs of points of one kind: what is known, or an outage. */
function runs(kept) {
  const found = [];
  history.forEach((point, index) => {
    if (!kept(point)) return;
    const last = found.at(-1);
    if (last && last.end === index - 1) last.end = index;
    else found.push({ start: index, end: index });
  });
  return found.map(({ start, end }) => history.slice(start, end + 1));
}

function draw(now) {
  const greatest = Math.max(...history.map((point) => point.seconds ?? 0));
  const most = SCALES.find((scale) => scale >= greatest) ?? greatest;
  write("chart-most", duration(most));
  const age = (now - history[0].at) / 1000;
  const span = Math.min(SPAN_SECONDS, Math.max(SPAN_SECONDS_LEAST, age));
  write("chart-start", texts.chartStart.replace("{}", duration(span)));
  const x = (point) => WIDTH * (1 - (now - point.at) / (span * 1000));
  const y = (point) => HEIGHT * (1 - point.seconds / most);
  const at = (point) => `${x(point).toFixed(1)},${y(point).toFixed(1)}`;
  const bands = runs((point) => point.down).map((run) => {
    const [first, last] = [x(run[0]), x(run.at(-1))];
    return shape("rect", "outage-band", { x: first, y: 0, width: Math.max(2, last - first), height: HEIGHT });
  });
  const lines = runs((point) => point.seconds !== null).flatMap((run) => {
    const points = run.map(at).join(" ");
    const ground = `${x(run[0])},${HEIGHT} ${points} ${x(run.at(-1))},${HEIGHT}`;
    return [shape("polygon", "area", { points: ground }), shape("polyline", "line", { points })];
  });
  element("chart").replaceChildren(...bands, ...lines);
}

let source = null;
function connect() {
  source?.close();
  source = new EventSource("/events");
  source.onmessage = (event) => heard(JSON.parse(event.data));
  // The last word of a service that is asked to stop.
  let hasStopped = false;
  source.addEventListener("stopped", () => {
    hasStopped = true;
    silent(texts.stopped);
  });
  source.onopen = () => { hasStopped = false; };
  source.onerror = () => {
    silent(hasStopped ? texts.stopped : texts.down);
    // A browser tries again by itself after a broken connection, but not after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

/** Ticks are counted, not seconds: a computer that slept heard nothing, and nothing was down. */
setInterval(() => {
  silentTicks += 1;
  if (silentTicks === SILENT_TICKS && !isDown()) silent(texts.down);
  if (isDown()) remember(null, true);
  tick();
}, TICK_MS);
connect();
