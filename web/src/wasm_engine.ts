// The engine in the page: limpid.wasm in a worker, asked as the server is.
import { Answer, Engine, EngineError, Question, readAnswer } from "./engine";
import { Call, GivenModel, Reply } from "./wasm_calls";

export class WorkerEngine implements Engine {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, { found: (answer: ArrayBuffer | undefined) => void; failed: (why: Error) => void }>();
  private calls = 0;

  /// `address`: of the worker's script; `engine`: limpid.wasm, packed by LZMA.
  constructor(address: string, engine: ArrayBuffer) {
    this.worker = new Worker(address);
    this.worker.onmessage = (event: MessageEvent<Reply>) => {
      const { id, answer, problem } = event.data;
      const waits = this.waiting.get(id);
      this.waiting.delete(id);
      if (problem !== undefined) waits?.failed(new EngineError(problem, "work"));
      else waits?.found(answer);
    };
    this.worker.onerror = (event) => {
      for (const { failed } of this.waiting.values()) failed(new EngineError(event.message || "the engine cannot be begun", "work"));
      this.waiting.clear();
    };
    this.send({ call: "start", engine }, [engine]).catch(() => { /* each later call says so too */ });
  }

  async ask(question: Question): Promise<Answer> {
    return this.answered({ call: "ask", question });
  }
  /// Throws EngineError as the engine says it.
  async add(model: GivenModel): Promise<Answer> {
    return this.answered({ call: "add", model });
  }
  async begin(text: string): Promise<void> {
    await this.answered({ call: "begin", text });
  }
  async training(title: string, log: string): Promise<void> {
    await this.send({ call: "training", title, log });
  }
  end(): void {
    this.worker.terminate();
  }

  private async answered(call: Call): Promise<Answer> {
    return readAnswer((await this.send(call))!);
  }
  private send(call: Call, transfer: Transferable[] = []): Promise<ArrayBuffer | undefined> {
    const id = this.calls++;
    return new Promise((found, failed) => {
      this.waiting.set(id, { found, failed });
      this.worker.postMessage({ id, call }, transfer);
    });
  }
}
