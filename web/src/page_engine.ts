// The engine that the page asks: the server's, or one in the page, to which models can be given.
import { Answer, Engine, HttpEngine, Question, readAnswer } from "./engine";
import { carriedAnswers, carriedEngine, carriedModel, CarriedRun, carriedRun } from "./payload";
import { GivenModel, startWorker } from "./wasm_calls";
import { WorkerEngine } from "./wasm_engine";

export class PageEngine implements Engine {
  /// Called when the engine of a page that is one file runs: what was shown until then came with the file, as another
  /// processor computed it.
  begun = () => {};
  private first?: Promise<Map<string, ArrayBuffer>>;

  private constructor(private now: Engine, private ready: Promise<void> = Promise.resolve()) {}

  /// Of a page that is one file, the engine that it carries; else the server's.
  static of(): PageEngine {
    const run = carriedRun();
    if (!run) return new PageEngine(new HttpEngine());
    const own = new WorkerEngine(carriedEngine());
    const ready = begin(own, run), page = new PageEngine(own, ready);
    page.first = carriedAnswers();
    ready.then(() => { page.first = undefined; page.begun(); }, () => { /* the next question says so */ });
    return page;
  }

  async ask(question: Question): Promise<Answer> {
    const carried = this.first && (await this.first).get(JSON.stringify(question));
    if (carried && this.first) return readAnswer(carried);
    await this.ready;
    return this.now.ask(question);
  }

  /// Opens a model that the page was given, with this text. Nothing of it leaves the page: a page that was served
  /// asks the engine in the page from then on. What was open stays open where that fails.
  async open(model: GivenModel, text: string): Promise<void> {
    if (this.now instanceof WorkerEngine) {
      await this.ready;
      const { json } = await this.now.add(model);
      await this.now.ask({ ask: "open", model: model.name, ...(json.stored ? {} : { edits: [], swaps: [] }) });  // with the text that is open
      return;
    }
    const response = await fetch("limpid.wasm.lzma");
    if (!response.ok) throw new Error(`limpid.wasm.lzma: ${response.status}`);
    const own = new WorkerEngine(startWorker("engine.js", await response.arrayBuffer()));
    try {
      await own.add(model);
      await own.begin(text);
    } catch (problem) {
      own.end();
      throw problem;
    }
    this.now = own;
  }
}

async function begin(engine: WorkerEngine, run: CarriedRun): Promise<void> {
  for (const model of run.models) await engine.add(await carriedModel(model));
  if (run.training) await engine.training(run.training.title, run.training.log);
  await engine.begin(run.text);
  if (run.edits.length) await engine.ask({ ask: "open", edits: run.edits });
}
