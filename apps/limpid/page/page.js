// What is open and what comes next, by the protocol alone (docs/explore-protocol.md).
"use strict";

const TYPES = {
  f64: Float64Array, f32: Float32Array, i64: BigInt64Array, i32: Int32Array, u8: Uint8Array,
};

function readAnswer(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const arrays = {};
  for (const [name, entry] of Object.entries(json.arrays || {})) {
    const count = entry.shape.reduce((all, size) => all * size, 1);
    arrays[name] = new TYPES[entry.dtype](buffer, 8 + length + entry.offset, count);
  }
  return { json, arrays };
}

async function ask(request) {
  const response = await fetch("ask", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const answer = readAnswer(await response.arrayBuffer());
  if (answer.json.error) throw new Error(answer.json.error.message);
  return answer;
}

function element(name, text) {
  const out = document.createElement(name);
  out.textContent = text;
  return out;
}

async function show(opened) {
  document.getElementById("text").value = opened.json.text;
  document.getElementById("model").textContent = opened.json.model.title;
  document.getElementById("tokens").replaceChildren(
    ...opened.json.labels.map((label) => element("li", label)));
  const next = await ask({ ask: "next" });
  const titles = { next: "Likeliest next tokens", hidden: "Likeliest at the last place", class: "Likeliest classes" };
  document.getElementById("next-title").textContent = titles[next.json.predicts];
  document.querySelector("#next tbody").replaceChildren(...next.json.labels.map((label, i) => {
    const row = document.createElement("tr");
    row.append(element("td", label), element("td", String(next.arrays.ids[i])),
               element("td", next.arrays.probabilities[i].toFixed(4)));
    return row;
  }));
}

async function attempt(work) {
  const error = document.getElementById("error");
  error.textContent = "";
  try {
    await work();
  } catch (problem) {
    error.textContent = problem.message;
  }
}

document.getElementById("open").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => show(await ask({ ask: "open", text: document.getElementById("text").value })));
});
attempt(async () => show(await ask({ ask: "tokens" })));
