// The engine that the page asks: the server's, or one in the page, to which models can be given.
import { Answer, Engine, HttpEngine, Question, readAnswer } from "./engine";
import { carriedAnswers, carriedEngine, carriedModel, CarriedRun, carriedRun } from "./payload";
import { GivenModel, startWorker } from "./wasm_calls";
import { WorkerEngine } from "./wasm_engine";

export class PageEngine implements Engine {
  /// Called when the engine of a page that is one file runs: what was shown until then came with the file, as another
  /// processor computed it.
  begun = () => {};
  private now?: Engine;
  private first?: Promise<Map<string, ArrayBuffer>>;
  private started?: Promise<void>;

  private constructor(private readonly run: CarriedRun | undefined) {
    if (run) this.first = carriedAnswers();
    else this.now = new HttpEngine();
  }

  /// Of a page that is one file, the engine that it carries; else the server's.
  static of(): PageEngine {
    return new PageEngine(carriedRun());
  }

  /// The page's own engine begins, once: when something is asked that the file does not answer, or when the page has shown
  /// what it does.
  start(): Promise<void> {
    return (this.started ??= this.run ? this.begin(this.run) : Promise.resolve());
  }

  async ask(question: Question): Promise<Answer> {
    const carried = (await this.first)?.get(JSON.stringify(question));
    if (carried && this.first) return readAnswer(carried);
    await this.start();
    return this.now!.ask(question);
  }

  private async begin(run: CarriedRun): Promise<void> {
    const own = new WorkerEngine(carriedEngine());
    this.now = own;
    for (const model of run.models) await own.add(await carriedModel(model));
    if (run.training) await own.training(run.training.title, run.training.log);
    await own.begin(run.text);
    if (run.edits.length) await own.ask({ ask: "open", edits: run.edits });
    this.first = undefined;
    this.begun();
  }

  /// Opens a model that the page was given, with this text. Nothing of it leaves the page: a page that was served
  /// asks the engine in the page from then on. What was open stays open where that fails.
  async open(model: GivenModel, text: string): Promise<void> {
    await this.start();
    const { now } = this;
    if (now instanceof WorkerEngine) {
      const { json } = await now.add(model);
      await now.ask({ ask: "open", model: model.name, ...(json.stored ? {} : { edits: [], swaps: [] }) });  // with the text that is open
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
