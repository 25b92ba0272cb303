"use strict";
// Shows records one at a time. What is chosen stands in the address, so that it can be sent and gone back to.
// Everything that a record says becomes text; nothing of it becomes markup.
const records = JSON.parse(document.getElementById("records").textContent);
const form = document.querySelector("#filters form");
const selects = [...document.querySelectorAll("#filters [data-filter]")];
const search = document.getElementById("search");
const list = document.getElementById("list");
const place = document.getElementById("record");
const wrap = document.getElementById("wrap");
const blanks = document.getElementById("blanks");
const texts = new Map();
const listeners = [];
let shown = [];
let current = null;

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

function marks(words) {
  return words.map(([word, tone]) => make("span", `mark ${tone}`, word));
}

function pieces(text, runs) {
  const code = make("code");
  let start = 0;
  for (let i = 0; i < (runs ?? []).length; i += 2) {
    const piece = text.slice(start, start + runs[i]);
    code.append(runs[i + 1] ? make("span", `t${runs[i + 1]}`, piece) : piece);
    start += runs[i];
  }
  code.append(text.slice(start));
  return code;
}

// Lays a mark over each blank; the text stays, and with it what is searched, selected and copied.
const BLANKS = { " ": "\u00b7", "\t": "\u2192", "\u00a0": "\u237d" };
function markBlanks() {
  for (const code of place.querySelectorAll("pre code")) {
    const nodes = [];
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (const node of nodes) {
      const parts = node.data.split(/( +|[\t\u00a0])/).filter((part) => part);
      node.replaceWith(...parts.map((part) => {
        if (!BLANKS[part[0]]) return part;
        const blank = make("span", "blank", part);
        blank.dataset.mark = BLANKS[part[0]].repeat(part.length);
        return blank;
      }));
    }
  }
}

function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  return Promise.resolve();
}

function blockOf(block) {
  const section = make("section", block.code ? "code" : "prose");
  const heading = make("h3", "", block.title);
  const button = make("button", "copy", "copy");
  button.type = "button";
  button.addEventListener("click", () =>
    copy(block.text).then(
      () => { button.textContent = "copied"; },
      () => { button.textContent = "not allowed"; },
    ),
  );
  heading.append(" ", ...marks(block.marks ?? []), " ", button);
  const pre = make("pre");
  pre.append(pieces(block.text, block.runs));
  section.append(heading, pre);
  if (block.note) section.append(make("p", "why", block.note));
  return section;
}

function draw(record) {
  place.replaceChildren();
  if (!record) return;
  const steps = make("p", "steps"); // of those who have no keys
  for (const [text, act] of [["\u2190 list", leave], ["previous", () => move(-1)], ["next", () => move(1)]]) {
    const button = make("button", "", text);
    button.type = "button";
    button.addEventListener("click", act);
    steps.append(button, " ");
  }
  const heading = make("h2", "", record.title);
  heading.prepend(...marks(record.marks));
  place.append(steps, heading);
  if (!record.facts.length && record.line) place.append(make("p", "why", record.line));
  if (record.facts.length) {
    const facts = make("dl", "facts");
    for (const [name, value] of record.facts) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      facts.append(pair);
    }
    place.append(facts);
  }
  let sides = null;
  for (const block of record.blocks) {
    if (!block.side) {
      sides = null;
      place.append(blockOf(block));
      continue;
    }
    if (!sides) {
      sides = make("div", "sides");
      sides.append(make("div"), make("div"));
      place.append(sides);
    }
    sides.children[block.side - 1].append(blockOf(block));
  }
  if (blanks.checked) markBlanks();
  markMatches();
}

// Marks what is searched for without touching the text; browsers without highlights show it unmarked.
function markMatches() {
  if (!globalThis.CSS?.highlights) return;
  CSS.highlights.delete("found");
  const wanted = folded(search.value);
  if (!wanted) return;
  const ranges = [];
  for (const element of place.querySelectorAll("pre, dd, h2")) {
    const nodes = [];
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let length = 0;
    while (walker.nextNode()) {
      nodes.push([length, walker.currentNode]);
      length += walker.currentNode.length;
    }
    const text = element.textContent.toLowerCase();
    if (text.length !== length) continue; // a letter whose small form is longer
    const end = (at, inside) => {
      let low = 0;
      for (let high = nodes.length; high - low > 1; ) {
        const middle = (low + high) >> 1;
        if (nodes[middle][0] < at + inside) low = middle;
        else high = middle;
      }
      return [nodes[low][1], at - nodes[low][0]];
    };
    for (let at = text.indexOf(wanted); at >= 0 && ranges.length < 1000; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(...end(at, 1));
      range.setEnd(...end(at + wanted.length, 0));
      ranges.push(range);
    }
  }
  if (ranges.length) CSS.highlights.set("found", new Highlight(...ranges));
}

const items = records.map((record, number) => {
  const item = make("li");
  const link = make("a");
  link.href = `#${new URLSearchParams({ row: record.key })}`;
  link.append(...marks(record.marks), make("b", "", record.title), make("span", "why", record.line));
  link.addEventListener("click", (event) => {
    event.preventDefault();
    open(number, true);
  });
  item.append(link);
  return item;
});
list.append(...items);

function textOf(number) {
  if (!texts.has(number)) {
    const record = records[number];
    const all = [record.key, record.title, record.line, ...record.facts.flat(), ...record.blocks.map((block) => block.text)];
    texts.set(number, folded(all.join("\n")));
  }
  return texts.get(number);
}

// A column may be called as the parts of the address are that are not of columns.
function parameter(select) {
  const name = select.dataset.filter;
  return ["text", "row"].includes(name) ? `column ${name}` : name;
}

function folded(text) {
  return text.normalize("NFC").toLowerCase();
}

function filter() {
  const wanted = selects.filter((select) => select.value).map((select) => [select.dataset.filter, select.value]);
  const text = folded(search.value);
  shown = [];
  records.forEach(({ groups }, number) => {
    const fits = wanted.every(([name, value]) => Object.hasOwn(groups, name) && groups[name].includes(value));
    const kept = fits && (!text || textOf(number).includes(text));
    items[number].hidden = !kept;
    if (kept) shown.push(number);
  });
  document.getElementById("none").hidden = shown.length > 0;
  form.querySelector("output").textContent = `${shown.length.toLocaleString("en")} of ${records.length.toLocaleString("en")}`;
}

function address(push) {
  const pairs = selects.filter((select) => select.value).map((select) => [parameter(select), select.value]);
  if (search.value) pairs.push(["text", search.value]);
  if (current !== null) pairs.push(["row", records[current].key]);
  const hash = `#${new URLSearchParams(pairs)}`;
  if (hash !== location.hash) history[push ? "pushState" : "replaceState"](null, "", hash);
}

function mark(number) {
  if (current !== null) items[current].firstChild.removeAttribute("aria-current");
  current = number;
  draw(number === null ? null : records[number]);
  if (number !== null) {
    items[number].firstChild.setAttribute("aria-current", "true");
    items[number].scrollIntoView({ block: "nearest" });
  }
  for (const listener of listeners) listener(number);
}

function open(number, push) {
  mark(number);
  document.body.classList.add("reading");
  address(push);
  const top = place.getBoundingClientRect().top;
  const under = document.getElementById("filters");
  if (top < 0 || isNarrow()) scrollTo(0, scrollY + top - (getComputedStyle(under).position === "sticky" ? under.offsetHeight : 0));
}

function leave() {
  document.body.classList.remove("reading");
  if (isNarrow() && current !== null) items[current].scrollIntoView({ block: "center" });
}

function isNarrow() {
  return matchMedia("(max-width: 56rem)").matches;
}

function move(step) {
  const at = shown.indexOf(current);
  const next = at < 0 ? shown[0] : shown[at + step];
  if (next !== undefined) open(next, false);
}

function refresh() {
  filter();
  if (!shown.includes(current)) mark(shown[0] ?? null);
  else markMatches();
  address(false);
}

function restore() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  search.value = wanted.get("text") ?? "";
  for (const select of selects) {
    select.value = wanted.get(parameter(select)) ?? "";
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
  filter();
  const row = records.findIndex((record) => record.key === wanted.get("row"));
  mark(row >= 0 ? row : (shown[0] ?? null));
  document.body.classList.toggle("reading", row >= 0);
}

let waiting = 0;
form.addEventListener("input", (event) => {
  if (event.target === wrap) return document.body.classList.toggle("wrap", wrap.checked);
  if (event.target === blanks) return draw(current === null ? null : records[current]);
  clearTimeout(waiting);
  waiting = setTimeout(refresh, event.target === search ? 120 : 0);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  refresh();
  if (shown.length) open(shown[0], true);
  search.blur();
});
addEventListener("hashchange", restore);
addEventListener("popstate", restore);

const keys = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => search.focus(),
  w: () => wrap.click(),
  b: () => blanks.click(),
  Enter: () => current !== null && open(current, true),
  Escape: leave,
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.matches("button, a, summary, input")) return;
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
restore();
