// Section 2.4: runs inside the sandbox: observes functions in JavaScript and TypeScript; imports nothing of theirs.
// Every unit (a program and calls on it) has a context of its own, without the machine's functions. Each call is made
// twice, in two orders; all is done in two processes, the second with another clock, time zone and order; there, who
// asks for the time or for chance is noted.
"use strict";
const vm = require("vm");
const fs = require("fs");
const util = require("util");
const childProcess = require("child_process");

// A backstop for what the count of blocks does not see: long, since it depends on how loaded the machine is.
const CALL_MILLISECONDS = 3000;
const SKEW = 400 * 86400000 + 7 * 3600000 + 11000;
const PRELUDE = `
var __scope, exports = {}, __steps = 0, __max = 0, __hits = new Set(), __asked = false;
function __step(number) { __hits.add(number); if (++__steps > __max) throw "__too_many_steps"; }
`;
const SKEWED = `
(() => {
  const Real = Date, skew = ${SKEW}, draw = Math.random, parse = JSON.parse;
  const now = () => { __asked = true; return Real.now() + skew; };
  Date = class Date extends Real {
    constructor(...given) { if (given.length) super(...given); else super(now()); }
    static now() { return now(); }
  };
  Math.random = () => { __asked = true; return draw(); };
  Error.prepareStackTrace = () => "elsewhere";
  // How an engine words what it cannot read is its own affair.
  JSON.parse = (...given) => {
    try { return parse(...given); } catch (error) { error.message = "elsewhere"; throw error; }
  };
})();
`;

// Returns the literal of a value, or throws a text that says why there is none.
function literalOf(value, depth) {
  if (depth > 8) throw "nested too deeply";
  if (value === null) return "null";
  switch (typeof value) {
    case "undefined": return "undefined";
    case "boolean": return String(value);
    case "number": return Object.is(value, -0) ? "-0" : String(value);
    case "bigint": return `${value}n`;
    case "string":
      if (!value.isWellFormed()) throw "half a surrogate pair";
      return JSON.stringify(value);
    case "object": break;
    default: throw typeof value;
  }
  if (util.types.isProxy(value)) throw "proxy";
  const inner = (item) => literalOf(item, depth + 1);
  if (Array.isArray(value)) {
    const names = Reflect.ownKeys(value);
    if (names.length !== value.length + 1) throw "array with holes or names";
    return `[${Array.from(value, inner).join(", ")}]`;
  }
  if (Reflect.ownKeys(value).some((name) => typeof name === "symbol")) throw "symbol";
  const isBuiltIn = util.types.isMap(value) || util.types.isSet(value) || util.types.isDate(value) || util.types.isRegExp(value);
  if (isBuiltIn && Reflect.ownKeys(value).length !== (util.types.isRegExp(value) ? 1 : 0)) throw "built-in with names";
  if (util.types.isMap(value)) {
    return value.size ? `new Map([${[...value].map((pair) => `[${inner(pair[0])}, ${inner(pair[1])}]`).join(", ")}])` : "new Map()";
  }
  if (util.types.isSet(value)) return value.size ? `new Set([${[...value].map(inner).join(", ")}])` : "new Set()";
  if (util.types.isDate(value)) {
    const time = value.getTime();
    return Number.isNaN(time) ? "new Date(NaN)" : `new Date(${JSON.stringify(value.toISOString())})`;
  }
  if (util.types.isRegExp(value)) {
    if (value.lastIndex) throw "regular expression in use";
    return String(value);
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || Object.getPrototypeOf(prototype) !== null) throw "object of a class";
  const fields = Object.entries(Object.getOwnPropertyDescriptors(value)).map(([name, field]) => {
    if (!("value" in field) || !field.enumerable || name === "__proto__") throw "accessor";
    const shown = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    return `${shown}: ${inner(field.value)}`;
  });
  return fields.length ? `{ ${fields.join(", ")} }` : "{}";
}

function observeCall(context, script, unit) {
  const control = context.__control;
  control.reset(unit.maxSteps);
  let value;
  try {
    value = script.runInContext(context, { timeout: CALL_MILLISECONDS });
  } catch (error) {
    const steps = control.steps();
    if (error === "__too_many_steps" || steps > unit.maxSteps) return { status: "too_many_steps", value: "", steps };
    if (error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return { status: "too_slow", value: "", steps };
    let name = "thrown";
    try { name = String(error.name).slice(0, 80); } catch {}
    return { status: "raised", value: name, steps, hits: control.hits() };
  }
  const steps = control.steps(), hits = control.hits();
  // The clock and chance answer otherwise some other day, though they did not this time.
  if (control.asked()) return { status: "impure", value: "the clock or chance", steps };
  let text;
  try {
    text = literalOf(value, 0);
  } catch (reason) {
    return { status: "not_literal", value: String(reason).slice(0, 80), steps, hits };
  }
  if (text.length > unit.maxChars) return { status: "too_long", value: String(text.length), steps, hits };
  try {
    const back = vm.runInContext(`(${text})`, context, { timeout: CALL_MILLISECONDS });
    if (literalOf(back, 0) !== text) return { status: "not_literal", value: "does not read back", steps, hits };
  } catch {
    return { status: "not_literal", value: "does not read back", steps, hits };
  }
  return { status: "ok", value: text, steps, hits };
}

function contextOf(unit, skewed) {
  const context = vm.createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  vm.runInContext(PRELUDE + (skewed ? SKEWED : ""), context);
  const control = vm.runInContext(
    "({ reset(most) { __steps = 0; __max = most; __hits = new Set(); __asked = false; }, asked() { return __asked; }, steps() { return __steps; }, hits() { return [...__hits].join(); } })",
    context,
  );
  Object.defineProperty(context, "__control", { value: control, enumerable: false });
  control.reset(unit.maxSteps * 10);
  return context;
}

function load(unit, context) {
  new vm.Script(unit.code, { filename: "program.js" }).runInContext(context, { timeout: CALL_MILLISECONDS });
}

function scriptsOf(texts) {
  return texts.map((text) => {
    try { return new vm.Script(text, { filename: "call.js" }); } catch { return null; }
  });
}

// Changed versions of a function share a context, which takes longer to make than all else: each is a scope in it.
const shared = { of: -1, context: null };
function loadScope(unit, skewed) {
  if (shared.of !== unit.scopeOf) {
    shared.context = contextOf(unit, skewed);
    shared.of = unit.scopeOf;
  }
  const calls = unit.calls.map((call) => (call ? `() => (${call})` : "null"));
  const code = `__scope = (function () {\n${unit.code}\nreturn { calls: [${calls}], check(require) {\n${unit.check}\n} };\n})();`;
  shared.context.__control.reset(unit.maxSteps * 10);
  load({ code }, shared.context);
  return shared.context;
}

function runUnit(unit, skewed, say) {
  const isScope = unit.scopeOf !== null;
  let context;
  try {
    context = isScope ? loadScope(unit, skewed) : contextOf(unit, skewed);
    if (!isScope) load(unit, context);
  } catch (error) {
    say({ broken: String((error && error.message) || error).slice(0, 200) });
    return;
  }
  let numSlow = 0;
  const scripts = scriptsOf(unit.calls.map((call, number) => (isScope ? `__scope.calls[${number}]()` : `(${call})`)));
  const order = [...scripts.keys()].filter((number) => scripts[number]);
  if (skewed) order.reverse();
  const first = new Map();
  for (const number of order) {
    const seen = observeCall(context, scripts[number], unit);
    first.set(number, seen);
    numSlow += seen.status === "too_slow";
    if (numSlow > 1) break;
  }
  for (const number of order.reverse()) {
    if (!first.has(number) || numSlow > 1) continue;
    const seen = first.get(number);
    if (seen.status !== "ok") continue;
    const again = observeCall(context, scripts[number], unit);
    if (again.status !== seen.status || again.value !== seen.value) {
      first.set(number, { status: "impure", value: `${seen.value}, then ${again.value || again.status}` });
    }
  }
  for (const [number, seen] of first) say({ call: number, ...seen, hits: (seen.hits || "").slice(0, 400) });
  if (unit.check) say({ check: runCheck(unit, skewed, isScope ? context : null) });
}

// The check as it is shown, on a new copy of the program, with Node's own assert.
function runCheck(unit, skewed, scope) {
  const context = scope || contextOf(unit, skewed);
  context.require = (name) => { if (name !== "node:assert") throw new Error(name); return require("node:assert"); };
  try {
    if (!scope) load(unit, context);
    context.__control.reset(unit.maxSteps * 10);
    const check = scope ? "__scope.check(require)" : unit.check;
    new vm.Script(check, { filename: "check.js" }).runInContext(context, { timeout: 2 * CALL_MILLISECONDS });
    return "passed";
  } catch (error) {
    if (error && error.code === "ERR_ASSERTION") return "assertion";
    if (error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return "too_slow";
    return error === "__too_many_steps" ? "too_many_steps" : "raised";
  }
}

function main() {
  const run = process.argv.includes("again") ? 1 : 0;
  const units = JSON.parse(fs.readFileSync("units.json", "utf8"));
  let lines = [];
  const flush = () => { fs.writeSync(1, lines.join("")); lines = []; };
  const numbers = [...units.keys()];
  if (run) numbers.reverse();
  for (const number of numbers) {
    const say = (row) => lines.push(`${JSON.stringify({ run, unit: number, ...row })}\n`);
    if (units[number].file) units[number].code = fs.readFileSync(units[number].file, "utf8");
    flush();
    runUnit(units[number], run === 1, say);
    say({ done: true });
    flush();
  }
  if (!run) {
    childProcess.spawnSync(process.execPath, [...process.execArgv, process.argv[1], "again"], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8", HOME: "/elsewhere" },
    });
  }
}

main();
