// The page: hands what is in its fields to the module, and shows the answer. All text of the user's is set as text, never as
// markup.

/** Rows of alerts that are shown; of the others the page says how many they are. */
const MAX_ROWS = 1000;

const byId = (id) => document.getElementById(id);
const data = (id) => JSON.parse(byId(id).textContent);
const [form, signals, rules] = ["form", "signals", "rules"].map(byId);
const [summary, failure] = ["summary", "failure"].map(byId);
const examples = data("examples");
const compiled = WebAssembly.compile(Uint8Array.from(atob(byId("module").textContent), (c) => c.charCodeAt(0)));

/** What the module answers to a request. */
async function ask(request) {
  const input = new TextEncoder().encode(JSON.stringify(request));
  return JSON.parse(await run(await compiled, input));
}

/** An element with these attributes and children: elements, or texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

const counted = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const cell = (text) => element("td", typeof text === "number" ? { class: "number" } : {}, String(text));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell)));
  return [element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body)];
}

/** A table of alerts, as many as `left` rows allow, and how many are left out. */
function alertTable(caption, heads, alerts, row, left) {
  const shown = alerts.slice(0, left);
  const parts = [];
  if (shown.length > 0) parts.push(element("table", {}, ...table(caption, heads, shown.map(row))));
  const hidden = alerts.length - shown.length;
  if (hidden > 0) parts.push(element("p", { class: "hint" }, `${counted(hidden, "alert")} of these not shown: a page shows ${MAX_ROWS}.`));
  return [parts, left - shown.length];
}

function target({ namespace, kind, name }) {
  return namespace ? `${kind} ${name} in namespace ${namespace}` : `${kind} ${name}`;
}

function showIncidents({ alerts, incidents }) {
  let left = MAX_ROWS;
  let shownIncidents = incidents;
  const items = [];
  for (const incident of incidents) {
    if (left === 0) {
      shownIncidents = incidents.slice(0, items.length);
      break;
    }
    const own = incident.alerts.map((index) => alerts[index]);
    const facts = [
      ...(incident.cluster ? [["Cluster", incident.cluster]] : []),
      ["Namespace", incident.namespace || "none"],
      ["Kind", incident.kind],
      ["Name", incident.name],
      ["Decided by", [...new Set(own.map((alert) => `rule ${alert.rule}`))].join(", ")],
    ].flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
    const fingerprint = element("code", { class: "fingerprint" }, incident.fingerprint);
    facts.push(element("dt", {}, "Fingerprint"), element("dd", {}, fingerprint));
    const caption = `${counted(own.length, "alert")} of this incident`;
    const row = ({ alert, name, rule }) => [alert, name, rule];
    const [parts, rest] = alertTable(caption, ["No.", "Alert", "Rule"], own, row, left);
    left = rest;
    items.push(element("li", {}, element("h3", {}, target(incident)), element("dl", {}, ...facts), ...parts));
  }
  byId("incidents").replaceChildren(...items);
  const others = alerts.filter(({ state }) => state !== "firing");
  const parts = [];
  const hidden = incidents.length - shownIncidents.length;
  if (hidden > 0) parts.push(element("p", { class: "hint" }, `${counted(hidden, "more incident")} not shown: a page shows ${MAX_ROWS} alerts.`));
  if (others.length > 0) {
    const row = ({ alert, name, state, reason }) => [alert, name ?? "", state, reason];
    const [rows] = alertTable(`${counted(others.length, "alert")} without an incident`, ["No.", "Alert", "State", "Why"], others, row, left);
    parts.push(element("h3", {}, "No incident"), ...rows);
  }
  byId("others").replaceChildren(...parts);
}

/** Shows what is wrong with a field, or that nothing is. */
function showProblem(field, problem) {
  byId(`${field.id}-problem`).textContent = problem ?? "";
  if (problem) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function show(answer) {
  const { alerts, incidents, problems, hash } = answer;
  showProblem(signals, problems.signals);
  showProblem(rules, problems.rules);
  showIncidents(answer);
  if (problems.signals || problems.rules) {
    summary.textContent = "Nothing is explained: correct what is marked above.";
    (problems.signals ? signals : rules).focus();
    return;
  }
  const others = alerts.length - incidents.reduce((sum, incident) => sum + incident.alerts.length, 0);
  const without = others > 0 ? `, ${counted(others, "alert")} without an incident` : "";
  summary.textContent = `${counted(alerts.length, "alert")}: ${counted(incidents.length, "incident")}${without}. Target rules ${hash}.`;
}

async function explain() {
  failure.textContent = "";
  byId("output").setAttribute("aria-busy", "true");
  try {
    show(await ask({ ask: "explain", signals: signals.value.toWellFormed(), rules: rules.value.toWellFormed(), now: Date.now() }));
  } catch (error) {
    byId("incidents").replaceChildren();
    byId("others").replaceChildren();
    summary.textContent = "Nothing is explained.";
    failure.textContent = `The module failed, which is a bug of this page: ${error.message}`;
  } finally {
    byId("output").setAttribute("aria-busy", "false");
  }
}

function changed() {
  if (byId("incidents").childElementCount + byId("others").childElementCount === 0) return;
  summary.textContent = "The text has changed since: explain it again. Below is the last result.";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  explain();
});
for (const field of [signals, rules]) {
  field.addEventListener("input", changed);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      explain();
    }
  });
}
byId("load").addEventListener("click", () => {
  const example = examples[byId("example").value];
  [signals.value, rules.value] = [example.signals, example.rules];
  explain();
});

rules.value = data("given-rules") ?? "";
const builtIn = await ask({ ask: "built-in-rules" });
const rows = builtIn.map(({ rule, applies, kind, name }) => [rule, applies || "every alert", kind, name]);
byId("rules-table").replaceChildren(...table("Built-in rules", ["Rule", "For", "Kind", "Name from"], rows));
document.documentElement.dataset.ready = "true";
