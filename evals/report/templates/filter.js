"use strict";
// Shows the entries that fit what is chosen; the choice stands in the address, so that it can be sent to others.
const form = document.querySelector(".filters form");
const entries = [...document.querySelectorAll(".entry")];
const fields = [...form.elements].filter((field) => field.name);
const texts = new Map();

function textOf(entry) {
  if (!texts.has(entry)) texts.set(entry, entry.textContent.toLowerCase());
  return texts.get(entry);
}

function fits(entry, chosen) {
  return chosen.every(([name, value]) => (name === "text" ? textOf(entry).includes(value.toLowerCase()) : entry.dataset[name] === value));
}

function show() {
  const chosen = fields.filter((field) => field.value).map((field) => [field.name, field.value]);
  let shown = 0;
  for (const entry of entries) {
    entry.hidden = !fits(entry, chosen);
    shown += !entry.hidden;
  }
  form.querySelector("output").textContent = `${shown} of ${entries.length} on this page`;
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
}

function choose() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const field of fields) field.value = wanted.get(field.name) ?? "";
  for (const field of fields) if (field.value === "" && field.tagName === "SELECT") field.selectedIndex = 0;
  show();
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", choose);
choose();
