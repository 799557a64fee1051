"use strict";

/* Everything that comes from a model or the server is put in as text, never as HTML. */

const POLL_MS = 2000;
const SHOWN_CLASSES = 8;
const MOST_TRIES = 5;
const NBSP = "\u00a0";

const byId = (id) => document.getElementById(id);

let model = null; // what the form is made from: see _context in page.py
let version = ""; // the form's
let nextRow = 0;
let latest = 0; // the number of the latest request: earlier answers are not shown

/** An element with attributes and children; a string is a text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/* --- the row --- */

class WrongValue extends Error {}

/** Splits at commas; an item in double quotes may have commas, and quotes doubled. */
function items(text) {
  const found = [];
  let rest = text;
  for (;;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*(,|$)/.exec(rest);
    const match = quoted ?? /^([^,]*)(,|$)/.exec(rest);
    found.push(quoted ? quoted[1].replaceAll('""', '"') : match[1].trim());
    if (match[2] === "") return found;
    rest = rest.slice(match[0].length);
  }
}

/** The JSON of a number that a person wrote. */
function numberJson(field, text) {
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number)) throw new WrongValue(`"${text}" is not a number.`);
  if (field.dtype === "int" && !Number.isSafeInteger(number)) throw new WrongValue("Must be a whole number.");
  return JSON.stringify(number);
}

/** The JSON of what is filled in. */
function valueJson(field, input) {
  // A number input has no text while what is in it is no number.
  if (input.validity.badInput) throw new WrongValue("Must be a number.");
  const text = textOf(field, input);
  const required = field.missing === null;
  const list = field.length !== null || field.many;
  if (field.dtype === "string" && !list ? text === "" : text.trim() === "") {
    if (required) throw new WrongValue("Required: fill in a value.");
    return field.missing;
  }
  if (field.image) return JSON.stringify({ b64: text });
  const one = (item) => (field.dtype === "string" ? JSON.stringify(item) : numberJson(field, item));
  if (!list) return one(text);
  const given = items(text);
  if (field.length !== null && given.length !== field.length)
    throw new WrongValue(`Must have ${field.length} values, separated by commas; has ${given.length}.`);
  const empty = field.dtype === "string" ? '""' : "NaN";
  return `[${given.map((item) => (item === "" && !required ? empty : one(item))).join(", ")}]`;
}

const inputOf = (index) => byId(`column-${index}`);

/** What is filled in: of an image, which a person chooses as a file, its bytes in base64. */
const textOf = (field, input) => (field.image ? input.dataset.bytes ?? "" : input.value);

function setText(field, index, text) {
  const input = inputOf(index);
  // The name of a file cannot be set, only emptied.
  input.value = field.image ? "" : text;
  if (field.image) showImage(index, text);
}

function showImage(index, bytes) {
  inputOf(index).dataset.bytes = bytes;
  const preview = byId(`column-${index}-preview`);
  if (bytes) preview.src = imageUrl(bytes);
  else preview.removeAttribute("src");
  preview.hidden = !bytes;
}

/** The URL of an image in base64, whose first character says its format. */
function imageUrl(bytes) {
  const types = { i: "png", R: "gif" };
  return `data:image/${types[bytes[0]] ?? "jpeg"};base64,${bytes}`;
}

function chooseImage(event) {
  const index = event.target.dataset.index;
  const [file] = event.target.files;
  if (!file) return showImage(index, "");
  const reader = new FileReader();
  reader.addEventListener("load", () => showImage(index, reader.result.slice(reader.result.indexOf(",") + 1)));
  reader.readAsDataURL(file);
}

function showMessage(index, message) {
  byId(`column-${index}-message`).textContent = message;
  if (message) inputOf(index).setAttribute("aria-invalid", "true");
  else inputOf(index).removeAttribute("aria-invalid");
}

/** The request's body, or null: then each wrong field has a message and the first one the focus. */
function requestBody() {
  const pairs = [];
  let firstWrong = null;
  model.fields.forEach((field, index) => {
    try {
      pairs.push(`${JSON.stringify(field.name)}: ${valueJson(field, inputOf(index))}`);
      showMessage(index, "");
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      showMessage(index, error.message);
      firstWrong ??= inputOf(index);
    }
  });
  if (firstWrong) {
    firstWrong.focus();
    return null;
  }
  return `{"signature_name": ${JSON.stringify(model.signature)}, "instances": [{${pairs.join(", ")}}]}`;
}

function fillIn(row) {
  model.fields.forEach((field, index) => {
    setText(field, index, row[index] ?? "");
    showMessage(index, "");
  });
  rowChanged();
}

function rowChanged() {
  const results = byId("results");
  const by = results.querySelector(".by");
  if (!by || results.classList.contains("old")) return;
  results.classList.add("old");
  by.append(" The row has changed since.");
}

/* --- the server --- */

const urlOf = (path) => new URL(path, document.baseURI).href;
const api = () => byId("version").dataset.api;

/** Reads the server's JSON, which has NaN and infinities as they are: these become texts. */
function parse(text) {
  return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) =>
    part.startsWith('"') ? part : `"${part}"`));
}

/** The version that requests are answered by, or "" if there is none. */
async function servedVersion() {
  const answer = await fetch(urlOf(api()), { cache: "no-store" });
  if (!answer.ok) return "";
  const versions = (await answer.json()).model_version_status ?? [];
  const available = versions.filter((one) => one.state === "AVAILABLE").map((one) => BigInt(one.version));
  return available.length ? String(available.reduce((a, b) => (a > b ? a : b))) : "";
}

/** Takes the form of the version that is served now; what is filled in stays, as far as it has the column. */
async function renewForm() {
  const answer = await fetch(urlOf("."), { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const written = new Map();
  model?.fields.forEach((field, index) => written.set(field.name, textOf(field, inputOf(index))));
  const focused = document.activeElement;
  const column = model?.fields[focused.dataset.index]?.name;
  const results = model && page.getElementById("model") ? byId("results") : null;
  const request = results ? byId("request") : null;
  document.title = page.title;
  byId("version").replaceWith(document.adoptNode(page.getElementById("version")));
  byId("main").replaceWith(document.adoptNode(page.getElementById("main")));
  setUp();
  if (results?.querySelector(".by")) {
    byId("results").replaceWith(results);
    byId("request").replaceWith(request);
  }
  model?.fields.forEach((field, index) => {
    if (written.has(field.name)) setText(field, index, written.get(field.name));
    if (field.name === column) inputOf(index).focus({ preventScroll: true });
  });
  if (column === undefined && focused.id) byId(focused.id)?.focus({ preventScroll: true });
}

let watching = false;

async function watch() {
  if (document.hidden || watching) return;
  watching = true;
  try {
    const served = await servedVersion();
    byId("connection").hidden = true;
    if (served !== version) await renewForm();
  } catch {
    const connection = byId("connection");
    connection.textContent = "The server does not answer; the page tries again.";
    connection.hidden = false;
  } finally {
    watching = false;
  }
}

async function predict(event) {
  event?.preventDefault();
  const number = ++latest;
  byId("said").textContent = "";
  byId("results").setAttribute("aria-busy", "true");
  try {
    await askAndShow(() => number === latest);
  } catch (error) {
    if (number === latest) showError("The request failed.", error.message);
  } finally {
    byId("results")?.removeAttribute("aria-busy");
  }
}

/** Asks until the version that the form is made for has answered: the answer does not say which one it is of. */
async function askAndShow(isLatest) {
  for (let tries = 0; model && tries < MOST_TRIES; tries++) {
    const body = requestBody();
    if (body === null) return;
    const asked = version;
    const row = model.fields.map((field, index) => textOf(field, inputOf(index)));
    const url = urlOf(`${api()}:predict`);
    showCurl(url, body);
    const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const text = await answer.text();
    const served = await servedVersion();
    if (!isLatest()) return;
    if (version !== asked) continue;
    if (served !== asked && served !== "") {
      await renewForm();
      continue;
    }
    const [prediction] = answer.ok ? parse(text).predictions : [];
    // Of a model with images, the output that says what is wrong with a row.
    const wrong = model.tasks.some((task) => task.outputs.includes("error")) ? "" : prediction?.error;
    if (wrong) showError("The model cannot answer this row.", wrong);
    else if (answer.ok) showAnswer(prediction, asked, row);
    else showError(`The server refused the request (${answer.status}).`, errorOf(text));
    return;
  }
}

function errorOf(text) {
  try {
    return parse(text).error ?? text;
  } catch {
    return text;
  }
}

/* --- the answer --- */

function showError(title, text) {
  byId("results").replaceChildren();
  byId("error").replaceChildren(make("b", {}, title), text);
  byId("error").hidden = false;
  reveal(byId("error"));
}

function showCurl(url, body) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  byId("curl").textContent = `curl ${quoted(url)} -d ${quoted(body)}`;
  byId("request").hidden = false;
}

function showAnswer(answer, by, row) {
  // A single output stands without its name.
  const outputs = model.outputs.length === 1 ? new Map([[model.outputs[0], answer]]) : new Map(Object.entries(answer));
  const cards = model.tasks.map((task, index) => card(task, index, outputs, row));
  byId("error").hidden = true;
  byId("results").classList.remove("old");
  byId("results").replaceChildren(make("p", { class: "by" }, `Answered by version ${by}.`), ...cards);
  reveal(byId("answer-title"));
}

/** Scrolls there where the answer is not beside the form but below it. */
function reveal(element) {
  if (element.getBoundingClientRect().top > window.innerHeight * 0.7) element.scrollIntoView({ block: "start" });
}

const flat = (value) => (Array.isArray(value) ? value.flat(Infinity) : value === undefined ? [] : [value]);

function card(task, index, outputs, row) {
  const left = new Map(task.outputs.filter((name) => outputs.has(name)).map((name) => [name, flat(outputs.get(name))]));
  const take = (suffix) => {
    const name = task.name + suffix;
    const values = left.get(name) ?? [];
    left.delete(name);
    return values;
  };
  const classes = take("/classes");
  const probabilities = take("/probabilities");
  const quantiles = take("/quantiles");
  const levels = take("/levels");
  const conditional = take("/conditional");
  const [decision] = take("/decision");
  const tags = take("/tags").filter((tag) => tag !== "");
  const main = take("");
  const names = classes.length ? classes : task.classes;
  let content;
  if (task.decides === "tokens")
    content = tagged(tags, row);
  else if (names.length) content = classification(task, names, probabilities.length ? probabilities : main, decision);
  else if (quantiles.length || task.quantiles.length)
    content = interval(task, quantiles.length ? quantiles : main, levels.length ? levels : task.quantiles);
  else if (task.parts.length)
    content = [located(task, main, row), valueLine(main.map(Number), null), detail(`${task.parts.join(", ")}, as shares of the image`)];
  else content = [valueLine(main, task.unit), task.form === "count" ? detail("expected number") : null];
  const rest = [...left].flatMap(([name, values]) => [
    make("dt", {}, name.startsWith(`${task.name}/`) ? name.slice(task.name.length + 1) : name),
    make("dd", {}, values.map((value) => (typeof value === "number" ? decimal(value) : String(value))).join(", ")),
  ]);
  for (const value of conditional)
    rest.unshift(make("dt", {}, "given its condition"), make("dd", { title: String(value) }, percent(Number(value))));
  const title = `task-${index}`;
  return make("article", { class: "card", "aria-labelledby": title },
    make("header", {}, make("h3", { id: title }, task.name), task.kind ? make("span", { class: "kind" }, task.kind) : null),
    ...content.filter((part) => part !== null),
    rest.length ? make("dl", { class: "more" }, ...rest) : null);
}

/** What was asked of the only field that fits; "" if there are several, since it is unknown whose answer it is. */
function askedOf(fits, row) {
  const found = model.fields.filter(fits);
  return found.length === 1 ? row[model.fields.indexOf(found[0])] : "";
}

/** Each token above its tag; the tags alone if they are not known to be those of the form's tokens. */
function tagged(tags, row) {
  const text = askedOf((field) => field.kinds.includes("sequence") && field.many, row);
  const tokens = text.trim() ? items(text) : [];
  if (!tags.length) return [detail("no tokens")];
  // Tokens beyond the longest sequence that the model reads have no tag.
  if (tokens.length < tags.length) return [make("p", { class: "value text" }, tags.join(" ")), detail("a tag per token")];
  return [make("ol", { class: "tags" }, ...tokens.map((token, index) =>
    make("li", {}, make("span", {}, token), " ", make("b", {}, tags[index] ?? "–"))))];
}

/** The image with the box drawn in it; null if it is not known which image it is of. */
function located(task, edges, row) {
  const bytes = askedOf((field) => field.image, row);
  if (!bytes) return null;
  const at = Object.fromEntries(task.parts.map((part, index) => [part, Number(edges[index])]));
  const outline = make("div", { class: "outline" });
  outline.style.top = `${100 * at.top}%`;
  outline.style.left = `${100 * at.left}%`;
  outline.style.height = `${100 * (at.bottom - at.top)}%`;
  outline.style.width = `${100 * (at.right - at.left)}%`;
  return make("div", { class: "located", "aria-hidden": "true" },
    make("img", { src: imageUrl(bytes), alt: "" }), outline);
}

const detail = (text) => make("p", { class: "detail" }, text);

function valueLine(values, unit) {
  const line = make("p", { class: values.length > 1 ? "value text" : "value", title: values.join(", ") }, values.map(decimal).join(", "));
  if (unit) line.append(" ", make("small", {}, unit));
  return line;
}

function classification(task, names, probabilities, decision) {
  let rows = names.map((name, index) => ({ name, probability: Number(probabilities[index]), marks: [] }));
  const best = rows.reduce((a, b) => (b.probability > a.probability ? b : a));
  let headline;
  if (task.decides === "each") {
    const chosen = rows.filter((row) => row.probability > 0.5);
    for (const row of chosen) row.marks.push("over 50" + NBSP + "%");
    headline = chosen.length ? chosen.map((row) => row.name).join(", ") : "none over 50" + NBSP + "%";
  } else if (decision !== undefined) {
    for (const row of rows) if (row.name === decision) row.marks.push("decided");
    headline = decision;
  } else {
    best.marks.push("most probable");
    headline = best.name;
  }
  // The classes of an ordinal task have an order of their own.
  if (task.decides !== "median") rows = rows.toSorted((a, b) => b.probability - a.probability);
  const ordered = task.decides === "median" ? rows.length : SHOWN_CLASSES;
  const content = [make("p", { class: "value text" }, headline), bars(rows.slice(0, ordered))];
  if (rows.length > ordered)
    content.push(make("details", {}, make("summary", {}, `${rows.length - ordered} more classes`), bars(rows.slice(ordered))));
  return content;
}

function bars(rows) {
  const list = make("ul", { class: "bars" });
  for (const row of rows) {
    const filled = make("div", { class: "filled" });
    filled.style.width = `${100 * Math.min(Math.max(row.probability, 0), 1) || 0}%`;
    list.append(make("li", { class: row.marks.length ? "bar marked" : "bar" },
      make("span", { class: "name" }, String(row.name), ...row.marks.map((mark) => make("span", { class: "mark" }, mark))),
      make("span", { class: "number", title: String(row.probability) }, percent(row.probability)),
      make("div", { class: "track", "aria-hidden": "true" }, filled)));
  }
  return list;
}

function interval(task, values, levels) {
  const quantiles = values.map(Number);
  const distance = (index) => Math.abs(Number(levels[index]) - 0.5);
  // The lower of two that are equally near, as the model itself takes it.
  const middle = quantiles.reduce((best, _, index) => (distance(index) < distance(best) - 1e-6 ? index : best), 0);
  const name = distance(middle) < 1e-6 ? "median" : `quantile ${level(levels[middle])}`;
  const content = [valueLine([quantiles[middle]], task.unit)];
  if (quantiles.length < 2) return [...content, detail(name)];
  const low = quantiles[0];
  const high = quantiles.at(-1);
  const unit = task.unit ? ` ${task.unit}` : "";
  content.push(detail(`${name}; between ${decimal(low)} and ${decimal(high)}${unit}, ${level(levels[0])}–${level(levels.at(-1))}`));
  if (quantiles.every(Number.isFinite)) content.push(range(quantiles, middle));
  return content;
}

function range(quantiles, middle) {
  const low = quantiles[0];
  const width = quantiles.at(-1) - low;
  const part = (name, index) => {
    const element = make("div", { class: name });
    element.style.left = `${width > 0 ? (100 * (quantiles[index] - low)) / width : 50}%`;
    return element;
  };
  return make("div", { class: "range", "aria-hidden": "true" },
    make("div", { class: "band" }),
    ...quantiles.map((_, index) => part("tick", index)),
    part("middle", middle),
    make("span", { class: "end low" }, decimal(low)),
    make("span", { class: "end high" }, decimal(quantiles.at(-1))));
}

/** A number of about four digits. */
function decimal(value) {
  const number = Number(value);
  if (Number.isNaN(number)) return "not a number";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  const size = Math.abs(number);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return number.toExponential(3);
  const digits = size >= 100 ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: 4 };
  return new Intl.NumberFormat("en", digits).format(number);
}

function percent(probability) {
  if (Number.isNaN(probability)) return "not a number";
  if (probability > 0 && probability < 0.0005) return `< 0.1${NBSP}%`;
  if (probability < 1 && probability >= 0.9995) return `> 99.9${NBSP}%`;
  return `${(100 * probability).toFixed(1)}${NBSP}%`;
}

/** A quantile's level, which is a float32 in the answer. */
const level = (value) => `${Number((100 * Number(value)).toFixed(3))}${NBSP}%`;

/* --- the buttons --- */

async function copy() {
  const text = byId("curl");
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    // Browsers have no clipboard for pages that come by plain HTTP from another machine.
    window.getSelection().selectAllChildren(text);
    if (!document.execCommand("copy")) return;
  }
  byId("copy").textContent = "Copied";
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
}

function fillRealRow() {
  const index = nextRow % model.rows.length;
  nextRow = index + 1;
  fillIn(model.rows[index]);
  byId("said").textContent = `Row ${index + 1} of ${model.rows.length} of the warm-up requests.`;
}

function clear() {
  fillIn([]);
  byId("said").textContent = "";
  inputOf(0)?.focus();
}

function setUp() {
  version = byId("version").dataset.version;
  const data = byId("model");
  model = data ? JSON.parse(data.textContent) : null;
  if (!model) return;
  byId("form").addEventListener("submit", predict);
  byId("form").addEventListener("input", (event) => {
    if (event.target.getAttribute("aria-invalid")) showMessage(event.target.dataset.index, "");
    rowChanged();
  });
  model.fields.forEach((field, index) => {
    if (field.image) inputOf(index).addEventListener("change", chooseImage);
  });
  byId("fill")?.addEventListener("click", fillRealRow);
  byId("clear").addEventListener("click", clear);
  byId("copy").addEventListener("click", copy);
}

setUp();
setInterval(watch, POLL_MS);
document.addEventListener("visibilitychange", watch);
