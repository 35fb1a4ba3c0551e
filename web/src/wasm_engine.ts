// The engine in the page: limpid.wasm in a worker, asked as the server is.
import { Answer, Engine, EngineError, Question, readAnswer } from "./engine";
import { Call, GivenModel, Reply, StartedWorker } from "./wasm_calls";

export class WorkerEngine implements Engine {
  private readonly waiting = new Map<number, { found: (answer: ArrayBuffer | undefined) => void; failed: (why: Error) => void }>();
  private calls = 0;

  constructor(private readonly started: StartedWorker) {
    const { worker } = started;
    worker.onmessage = (event: MessageEvent<Reply>) => {
      const { id, answer, problem } = event.data;
      const waits = this.waiting.get(id);
      this.waiting.delete(id);
      if (problem !== undefined) waits?.failed(new EngineError(problem, "work"));
      else waits?.found(answer);
    };
    worker.onerror = (event) => {
      started.problem = event.message || "the engine cannot be begun";
      for (const { failed } of this.waiting.values()) failed(new EngineError(started.problem, "work"));
      this.waiting.clear();
    };
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
    this.started.worker.terminate();
  }

  private async answered(call: Call): Promise<Answer> {
    return readAnswer((await this.send(call))!);
  }
  private send(call: Call): Promise<ArrayBuffer | undefined> {
    const { worker, problem } = this.started, id = this.calls++;
    return new Promise((found, failed) => {
      if (problem) return failed(new EngineError(problem, "work"));
      this.waiting.set(id, { found, failed });
      worker.postMessage({ id, call });
    });
  }
}
