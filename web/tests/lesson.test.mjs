// The lesson and the quiz, from the first step to the score: what is asked has the answer that this run has, and
// every number in an answer is what the command prints for the same sentence.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, pageAt, serve, settled } from "./browser.mjs";
import { assertShown, json, numbersIn } from "./compare.mjs";
import { Truth } from "./truth.mjs";
import { walk } from "./walk.mjs";

const sentence = "Time is money";
const problems = [];
let server, browser, page, trace, weights, scores, last;

before(async () => {
  server = await serve("Life is short");
  browser = await launch();
  page = await pageAt(browser, server.address, problems);
  trace = json("trace", sentence);
  const numbers = (name) => trace.values[name].data[0];
  weights = numbers("blocks.0.attn.pattern");
  scores = numbers("blocks.0.attn.scaled_scores");
  last = trace.tokens.length - 1;
  await page.fill(".sentence", sentence);
  await page.waitForFunction((word) => document.querySelector(".next-after")?.textContent.includes(word), trace.tokens[last].label);
  await page.getByRole("button", { name: "Lesson", exact: true }).click();
  await page.waitForSelector('[data-step="words"]');
});

after(async () => {
  await browser?.close();
  server?.end();
});

const label = (t) => trace.tokens[t].label;
const largest = (row) => row.indexOf(Math.max(...row));

async function turn(to) {
  await page.locator(".lesson-turn .main").click();
  await page.waitForSelector(`[data-step="${to}"]`);
}

async function choices() {
  return page.$$eval(".lesson .choice-word", (all) => all.map((each) => each.textContent));
}

/// Takes a choice, and says what is then told.
async function predict(choice) {
  assert.equal(await page.locator(".lesson .verdict").count(), 0, "nothing is told before");
  await page.locator(".lesson .choice-button").nth(choice).click();
  await page.waitForSelector(".lesson .verdict");
  return page.textContent(".lesson .verdict");
}

test("the words are the tokens, with their ids", async () => {
  const shown = await page.$$eval(".lesson-tokens li", (all) => all.map((each) => [each.querySelector(".token-word").textContent, Number(each.querySelector(".token-id").textContent)]));
  assert.deepEqual(shown, trace.tokens.map((token) => [token.label, token.id]));
  assert.equal(await page.locator(".next").isVisible(), false, "what comes next is not given away");
});

test("embedding, and query, key and value, are the run's own cells", async () => {
  for (const [to, names] of [["embedding", ["embed"]], ["qkv", ["blocks.0.attn.rot_q", "blocks.0.attn.rot_k", "blocks.0.attn.v"]]]) {
    await turn(to);
    for (const name of names) await page.waitForSelector(`.lesson .grid[data-name="${name}"]`);
    await page.waitForSelector("[data-explained]");
    const cell = await page.getAttribute("[data-explained]", "data-explained");
    assertShown(await page.textContent(".formula .result, .cell-value b"), json("explain", cell, "--text", sentence)[0].value, cell);
  }
});

test("which of two scores is larger", async () => {
  await turn("scores");
  const shown = await choices();
  assert.equal(shown.length, 2);
  const row = scores[0][last];
  const keys = trace.tokens.map((_, key) => key).filter((key) => shown.some((choice) => choice.includes(`“${label(key)}”`)));
  const right = row[keys[0]] >= row[keys[1]] ? 0 : 1;
  const told = await predict(right);
  assert.match(told, /^Right\./);
  const sums = trace.values["blocks.0.attn.raw_scores"].data[0][0][last];
  const shownNumbers = numbersIn(told);
  assert.equal(shownNumbers.length, 4);
  [sums[keys[right]], row[keys[right]], sums[keys[1 - right]], row[keys[1 - right]]].forEach((value, i) => assertShown(shownNumbers[i], value, `number ${i} of the two scores`));
  await page.waitForSelector('.lesson .grid[data-name="blocks.0.attn.scores"]');
});

test("how much weight the largest score gets", async () => {
  await turn("softmax");
  const weight = Math.max(...weights[0][last]);
  const right = Math.min(3, Math.floor(weight * 4));
  const told = await predict((right + 1) % 4);
  assert.match(told, /^Not this time\. The answer: /);
  assertShown(numbersIn(told)[0], weight, "the weight");
  assert.equal(await page.locator(".lesson .choice-button").nth(right).getAttribute("class").then((given) => /\bright\b/.test(given)), true);
  assert.match(await page.getAttribute("[data-explained]", "data-explained"), new RegExp(`^blocks\\.0\\.attn\\.pattern\\[0,0,${last},${largest(weights[0][last])}\\]$`));
});

test("what is added up are the weights of this row", async () => {
  await turn("sum");
  const row = weights[0][last], order = [...row.keys()].sort((a, b) => row[b] - row[a]);
  const shown = numbersIn(await page.textContent(".lesson-text"));
  order.slice(0, shown.length).forEach((key, i) => assertShown(shown[i], row[key], `weight ${key}`));
  assert.equal(shown.length, Math.min(3, row.length));
});

test("where another head looks", async () => {
  await turn("heads");
  assert.ok((await page.locator(".lesson-hidden").count()) > 0, "the other heads are covered");
  const row = weights[1][last];
  const right = (await choices()).indexOf(label(largest(row)));
  assert.ok(right >= 0);
  const told = await predict(right);
  assertShown(numbersIn(told)[0], Math.max(...row), "the weight in head 1");
  assert.equal(await page.locator(".lesson-hidden").count(), 0);
  assert.equal(await page.locator(".lesson-heads .grid").count(), weights.length);
});

test("add and norm: the sum is the sum", async () => {
  await turn("norm");
  await page.waitForSelector('.lesson .grid[data-name="blocks.0.resid_mid"]');
  const cell = await page.getAttribute("[data-explained]", "data-explained");
  assert.match(cell, /^blocks\.0\.resid_mid\[/);
  assertShown(await page.textContent(".formula .result"), json("explain", cell, "--text", sentence)[0].combined, cell);
});

test("which token comes next", async () => {
  await turn("prediction");
  const probabilities = trace.values.probs.data[0][last];
  const id = largest(probabilities);
  assert.equal(await page.locator(".lesson-bars").count(), 0, "not shown before it is predicted");
  await predict(0);
  const rows = await page.$$eval(".lesson-bars tbody tr", (all) => all.map((row) => [Number(row.dataset.id), row.querySelector("td.number").textContent]));
  assert.equal(rows[0][0], id);
  for (const [each, shown] of rows) assertShown(shown, probabilities[each], `probability of ${each}`);
});

test("training: the loss of this very sentence", async () => {
  await turn("training");
  await page.locator(".lesson .link", { hasText: "Show the answer" }).click();
  await page.waitForSelector(".losses");
  const rows = await page.$$eval(".losses tbody tr", (all) => all.map((row) => [...row.querySelectorAll("td.number")].map((each) => each.textContent)));
  assert.equal(rows.length, last);
  rows.forEach(([probability, loss], t) => {
    const p = trace.values.probs.data[0][t][trace.tokens[t + 1].id];
    assertShown(probability, p, `probability of token ${t + 1}`);
    assertShown(loss, -Math.log(p), `loss of token ${t + 1}`);
  });
  const whole = json("eval", sentence);
  assertShown(numbersIn(await page.textContent(".loss-mean"))[0], whole.nats_per_token ?? whole.loss ?? whole.nats / whole.tokens, "the mean loss");
  assert.match(await page.textContent(".lesson-score"), /^\d of 4 predictions right so far$/);
});

test("every number of every step is found in the trace", async () => {
  const truth = new Truth([sentence], { address: server.asked }), counts = {};
  for (let i = 0; i < 10; ++i) {
    await page.locator(".lesson-step").nth(i).click();
    await page.waitForSelector(`.lesson-step[aria-current] >> text="${i + 1}"`);
    await settled(page);
    assert.deepEqual((await walk(page, truth, counts)).slice(0, 8), [], `step ${i + 1}`);
    if (i !== 4) continue;
    const cell = [0, 0, last, largest(weights[0][last])];
    const wrong = await walk(page, truth.changed("blocks.0.attn.pattern", cell, (value) => value + 0.01));
    assert.deepEqual([...new Set(wrong.map((each) => each.from))], [`blocks.0.attn.pattern[${cell}]`]);
  }
  assert.ok(counts.numbers > 60 && counts.cells > 2000 && counts.bars >= 10, JSON.stringify(counts));
});

test("the arrow keys turn the pages", async () => {
  await page.mouse.click(5, 5);
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector('[data-step="prediction"]');
  await page.keyboard.press("ArrowRight");
  await page.waitForSelector('[data-step="training"]');
});

test("a link restores the step and what was predicted", async () => {
  const score = await page.textContent(".lesson-score");
  const other = await pageAt(browser, page.url(), problems);
  await other.waitForSelector('[data-step="training"] .losses');
  assert.equal(await other.textContent(".lesson-score"), score);
  await other.getByRole("button", { name: "5 Softmax" }).click();
  await other.waitForSelector('[data-step="softmax"] .verdict');
  assert.match(await other.textContent(".lesson .verdict"), /^Not this time/);
  await other.context().close();
});

test("the quiz is that of the command, and counts", async () => {
  await page.locator(".lesson-turn .main").click();
  await page.waitForSelector(".quiz .question");
  const expected = json("quiz", sentence, "--layer", "0", "--head", "0");
  assert.ok(expected.length >= 7);
  const truth = new Truth([sentence], { address: server.asked }), counts = {};
  let right = 0;
  for (const [i, question] of expected.entries()) {
    await page.waitForFunction((text) => document.querySelector(".quiz .question-text")?.textContent === text, question.question);
    const shown = await page.$$eval(".quiz .choice-word", (all) => all.map((each) => each.textContent));
    assert.deepEqual(shown.map((each) => each.toLowerCase()), question.choices.map((each) => each.toLowerCase()));
    const taken = i % 3 === 1 ? question.right % question.choices.length : question.right - 1;  // every third one wrong
    right += taken === question.right - 1;
    await page.locator(".quiz .choice-button").nth(taken).click();
    await page.waitForSelector(".quiz .verdict");
    const verdict = await page.textContent(".quiz .verdict");
    assert.ok(verdict.endsWith(question.explanation), verdict);
    assert.match(verdict, taken === question.right - 1 ? /^Right\./ : /^Not this time/);
    assert.deepEqual(await page.$$eval(".quiz-cells code", (all) => all.map((each) => each.textContent)), question.cells);
    await walkedQuiz(truth, question, counts);
    if (i === 2) await restoredQuiz(question);
    await page.locator(".quiz .next-question").click();
  }
  await page.waitForSelector(".quiz-total");
  assert.equal(await page.textContent(".quiz-total"), `${right} of ${expected.length} right`);
  assert.equal(await page.locator(".quiz-list li.right").count(), right);
  assert.deepEqual((await walk(page, truth, counts)).slice(0, 8), []);
  assert.ok(counts.numbers > 100, JSON.stringify(counts));
});

// Every number of a question that is answered is found in the trace, and of each one that is changed there the walk says so.
async function walkedQuiz(truth, question, counts) {
  await settled(page);
  assert.deepEqual((await walk(page, truth, counts)).slice(0, 8), [], question.kind);
  const told = await page.$$eval(".quiz [data-from]", (all) => all.map((each) => each.dataset.from));
  const decimals = [question.question, question.explanation, ...question.choices].join(" ").match(/\d\.\d+/g) ?? [];
  assert.ok(told.length >= decimals.length, `${question.question}: ${told.length} of ${decimals.length} numbers say where they come from`);
  for (const cell of new Set(question.cells)) {
    const [, name, places] = /^(.+)\[([\d,]+)\]$/.exec(cell);
    const wrong = await walk(page, truth.changed(name, places.split(",").map(Number), (value) => value * 1.5 + 0.25));
    assert.ok(wrong.some((each) => each.from === cell || each.from.includes(`${cell} `) || each.from.endsWith(` ${cell}`)), `${cell} was changed, and nothing was reported`);
    assert.ok(wrong.every((each) => each.from.includes(cell) || each.from.includes("explain:") || each.from.startsWith("loss") || each.from.startsWith("chosen")), JSON.stringify(wrong.slice(0, 4)));
  }
}

async function restoredQuiz() {
  const other = await pageAt(browser, page.url(), problems);
  await other.waitForSelector(".quiz .question");
  assert.equal(await other.textContent(".quiz-score"), await page.textContent(".quiz-score"));
  await other.context().close();
}

test("another sentence is another lesson and another quiz", async () => {
  await page.fill(".sentence", "Art is long");
  await page.waitForFunction(() => document.querySelector(".quiz .question-text")?.textContent.includes("long"));
  assert.equal(await page.locator(".quiz-score").count(), 0);
  assert.ok(!/answers|guesses/.test(page.url()));
});

test("one word has a lesson too, and asks nothing that has no answer", async () => {
  await page.fill(".sentence", "Life");
  await page.getByRole("button", { name: "Lesson", exact: true }).click();
  for (let i = 0; i < 10; ++i) {
    await page.locator(".lesson-step").nth(i).click();
    await page.waitForSelector(`.lesson-step[aria-current]:has-text("${i + 1}")`);
    await page.waitForTimeout(150);
  }
  assert.equal(await page.locator(".error:visible").count(), 0);
  assert.match(await page.textContent(".lesson-text"), /at least two words/);
});

test("on a phone, in German and dark, no step scrolls sideways", async () => {
  const phone = await pageAt(browser, server.address + "#view=%22lesson%22", problems, { viewport: { width: 390, height: 844 }, locale: "de-DE", colorScheme: "dark" });
  for (let i = 0; i < 10; ++i) {
    await phone.locator(".lesson-step").nth(i).click();
    await phone.waitForTimeout(250);
    const show = phone.getByText("Antwort zeigen");
    if (await show.count()) await show.click();
    await phone.waitForTimeout(250);
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `step ${i + 1}`);
  }
  await phone.context().close();
});

test("the quiz speaks German, every question and every choice that is a sentence", async () => {
  const german = await pageAt(browser, server.address + "#view=%22quiz%22", problems, { locale: "de-DE" });
  await german.waitForSelector(".quiz .question");
  const text = await german.inputValue(".sentence");
  const english = json("quiz", text, "--layer", "0", "--head", "0");
  const said = new Set();
  for (const question of english) {
    await german.waitForSelector(".quiz .choice-button:enabled");
    said.add(await german.getAttribute(".quiz .question", "data-kind"));
    assert.notEqual(await german.textContent(".quiz .question-text"), question.question);
    const sentences = (await german.$$eval(".quiz .choice-word", (all) => all.map((each) => each.textContent))).filter((choice) => choice.split(" ").length > 2 || /^head /.test(choice));
    for (const choice of sentences) assert.ok(!question.choices.includes(choice), `a choice in English: ${choice}`);
    await german.locator(".quiz .choice-button").first().click();
    await german.waitForSelector(".quiz .verdict");
    assert.ok(!(await german.textContent(".quiz .verdict")).includes(question.explanation));
    await german.locator(".quiz .next-question").click();
  }
  assert.equal(said.size, english.length);
  await german.context().close();
});

test("nothing went wrong that nobody saw", () => assert.deepEqual(problems, []));
