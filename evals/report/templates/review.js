// Grades of a person: kept in this browser under the digest of what is judged, and saved as a file.
const judging = document.querySelector(".judging");
const storageKey = `review-${judging.dataset.review}`;
const comment = document.getElementById("comment");
const given = new Map();
const undone = []; // number of a record and the grade that it had, the last one last

try {
  for (const row of JSON.parse(localStorage.getItem(storageKey) || "[]")) given.set(row.id, row);
} catch (error) { /* nothing was kept, or nothing that can be read */ }

function scores() {
  return records.map((record) => given.get(record.key)).filter((row) => row?.score);
}

function show() {
  const row = current === null ? undefined : given.get(records[current].key);
  for (const button of judging.querySelectorAll("[data-score]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.score) === row?.score));
  }
  if (document.activeElement !== comment) comment.value = row?.comment ?? "";
  items.forEach((item, number) => { item.dataset.grade = given.get(records[number].key)?.score || ""; });
  document.getElementById("progress").textContent = `${scores().length} of ${records.length} graded`;
}

function change(values) {
  if (current === null) return;
  const id = records[current].key;
  if ("score" in values) undone.push([current, given.get(id)?.score ?? 0]);
  given.set(id, { id, score: 0, comment: "", ...given.get(id), ...values });
  try { localStorage.setItem(storageKey, JSON.stringify([...given.values()])); } catch (error) { /* no storage */ }
  show();
}

function save(name, type, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
}

function cell(value) {
  return `"${String(value).replaceAll('"', '""')}"`;
}

listeners.push(show);
comment.addEventListener("input", () => change({ comment: comment.value }));
for (const button of judging.querySelectorAll("[data-score]")) {
  const score = Number(button.dataset.score);
  button.addEventListener("click", () => change({ score }));
  keys[score] = () => {
    change({ score });
    move(1);
  };
}
keys[0] = () => change({ score: 0 });
keys.i = () => comment.focus();
keys.u = () => {
  if (!undone.length) return;
  const [number, score] = undone.pop();
  open(number, false);
  change({ score });
  undone.pop();
};
document.getElementById("save-json").addEventListener("click", () =>
  save("review.json", "application/json", JSON.stringify({ dataset: judging.dataset.review, scores: scores() }, null, 1)),
);
document.getElementById("save-csv").addEventListener("click", () => {
  const lines = scores().map((row) => [judging.dataset.review, row.id, row.score, row.comment].map(cell).join(","));
  save("review.csv", "text/csv", ["dataset,id,score,comment", ...lines, ""].join("\r\n"));
});
show();
