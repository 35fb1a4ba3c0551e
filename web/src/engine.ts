// The one way by which the page reaches the engine: a question, and its answer (docs/explore-protocol.md).

export type Numbers = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;

export interface AnswerArray {
  dtype: "f64" | "f32" | "i64" | "i32" | "u8";
  axes: string;
  shape: number[];
  data: Numbers;
}

export interface Answer {
  // The answer's own JSON; its fields are those of docs/explore-protocol.md.
  json: any;
  arrays: Record<string, AnswerArray>;
}

export interface Question {
  ask: string;
  [field: string]: unknown;
}

export interface Engine {
  ask(question: Question): Promise<Answer>;
}

/// What the engine said of a question that it could not answer.
export class EngineError extends Error {
  constructor(message: string, readonly kind: "call" | "work" | "reach" | "stale") {
    super(message);
  }
}

const arrayTypes = {
  f64: Float64Array, f32: Float32Array, i64: BigInt64Array, i32: Int32Array, u8: Uint8Array,
};

/// The bytes of an answer: eight for the length of the JSON, the JSON, the arrays.
export function readAnswer(buffer: ArrayBuffer): Answer {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  if (json.error) throw new EngineError(json.error.message, json.error.kind);
  const arrays: Record<string, AnswerArray> = {};
  for (const [name, entry] of Object.entries<any>(json.arrays ?? {})) {
    const count = entry.shape.reduce((all: number, size: number) => all * size, 1);
    const type = arrayTypes[entry.dtype as keyof typeof arrayTypes];
    arrays[name] = { ...entry, data: new type(buffer, 8 + length + entry.offset, count) };
  }
  return { json, arrays };
}

/// The server of `limpid explore`.
export class HttpEngine implements Engine {
  ask(question: Question): Promise<Answer> {
    return this.send(question);
  }

  private async send(question: Question): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch("ask", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(question),
      });
    } catch {
      throw new EngineError("unreachable", "reach");
    }
    if (!response.ok) throw new EngineError((await response.text()).trim(), "work");
    return readAnswer(await response.arrayBuffer());
  }
}

/// Whole numbers of an i64 array.
export function integers(array: AnswerArray): number[] {
  return Array.from(array.data as ArrayLike<number | bigint>, Number);
}

export function reals(array: AnswerArray): number[] {
  return Array.from(array.data as ArrayLike<number>);
}
