// What is open: the tokens, the stages, and the numbers of the run that have been asked for.
import { Answer, Engine, EngineError, integers, Question, reals } from "./engine";
import { Role } from "./palette";
import { Picture, pictureOf } from "./picture";
import { Series, seriesOf } from "./series";
import { shown } from "./told";

export interface Stage {
  name: string;
  operation: string;
  label: string;
  equation: string;
  caption: string;
  role: Role;
  inputs: string[];
  outputs: string[];
  group?: string;
  block?: string;
}

export interface Value {
  name: string;
  kind: "input" | "parameter" | "stage";
  axes: string;
  sizes: number[];
  stage?: string;
  held?: "whole" | "rows" | "streamed" | "summary" | "none";  // of a stored run
}

export interface Group {
  name: string;
  inputs: string[];
  outputs: string[];
}

/// The network: the same for every text.
export interface Network {
  stages: Stage[];
  values: Map<string, Value>;
  groups: Group[];
  aliases: Record<string, string>;
}

export interface Opened {
  text: string;   // of an image or a series: its name
  reads: "text" | "image" | "series";
  model: any;
  models: string[];
  labels: string[];
  sourceLabels?: string[];
  sourceIds?: number[];
  ids: number[];
  notes: string[];
  edited: unknown[];
  swaps: [number, number][];
  training?: string;  // the training run that can be asked about
  asks: string[];     // the questions that can be asked
  changes: string[];  // what `open` can change
  stored?: string;    // the file of a stored run, whose network is not at hand
}

export interface Window {
  name: string;
  axes: string;
  from: number[];
  shape: number[];
  sizes: number[];
  data: ArrayLike<number>;
}

export interface Change {
  model?: string;
  text?: string;
  image?: { width: number; height: number; channels: number; pixels: string; prepared?: boolean };
  series?: { values: number[][] };
  name?: string;  // of the image or the series
  edits?: unknown[];
  swaps?: [number, number][];
}

const ofColumn = ["maps", "tile", "heads", "attended"];

export class Session {
  opened!: Opened;
  network!: Network;
  /// What a model of images or series read.
  picture: Picture | undefined;
  series: Series | undefined;
  get column(): number { return shown.batch; }  // of the series: the one that is shown
  set column(column: number) { shown.batch = column; }
  /// Goes up with every change of what is open: an answer of an earlier one is of no use.
  turn = 0;
  private windows = new Map<string, Promise<Window>>();
  private answers = new Map<string, Promise<Answer>>();
  private networkOf = "";

  constructor(readonly engine: Engine) {}

  /// What is open already, when the page begins.
  async begin(): Promise<void> {
    await this.take(await this.engine.ask({ ask: "tokens" }));
  }

  /// The engine has opened something by itself.
  async reopen(): Promise<void> {
    this.turn++;
    await this.begin();
  }

  async open(change: Change): Promise<void> {
    this.turn++;
    await this.take(await this.engine.ask({ ask: "open", ...change }));
  }

  async generate(question: Record<string, unknown>): Promise<Answer> {
    this.turn++;
    const answer = await this.engine.ask({ ask: "generate", ...question });
    await this.take(answer);
    return answer;
  }

  /// A question about the run that is open, asked once. An answer that comes when something else is being
  /// opened is of no use: nobody knows which run it is of.
  ask(asked: Question): Promise<Answer> {
    const question = this.column && ofColumn.includes(asked.ask) ? { ...asked, batch: this.column } : asked;
    const key = JSON.stringify(question);
    let answer = this.answers.get(key);
    if (!answer) {
      const turn = this.turn;
      answer = this.engine.ask(question).then((got) => {
        if (turn !== this.turn) throw new EngineError("another run is open", "stale");
        return got;
      });
      answer.catch(() => this.answers.delete(key));
      this.answers.set(key, answer);
    }
    return answer;
  }

  window(name: string, from: number[], size: number[]): Promise<Window> {
    const key = `${name} ${from} ${size}`;
    let window = this.windows.get(key);
    if (!window) {
      window = this.ask({ ask: "window", name, from, size }).then(({ json, arrays }) => ({
        name: json.name, axes: json.axes, sizes: json.sizes, from,
        shape: arrays.numbers.shape, data: reals(arrays.numbers),
      }));
      window.catch(() => this.windows.delete(key));
      this.windows.set(key, window);
    }
    return window;
  }

  /// The sizes that a value has in this run.
  sizes(name: string): number[] {
    const value = this.network.values.get(name);
    if (!value) return [];
    const sources = this.opened.sourceLabels?.length;
    const length = this.opened.ids.length;
    if (sources !== undefined) return value.sizes;  // asked anew for each text
    return value.sizes.map((size, i) =>
      this.networkLength && size === this.networkLength && "TS".includes(value.axes[i]) ? length : size);
  }

  /// How many queries and keys a T x S stage has in this run.
  lengths(square: Value): [number, number] {
    const [, , queries, keys] = this.sizes(square.name);
    return [queries, keys];
  }

  /// Whether an axis of a value stands for the tokens that an encoder reads, not for those that are written.
  ofSource(name: string, axis: string): boolean {
    return this.opened.sourceLabels !== undefined && (name.startsWith("encoder.") || (axis === "S" && name.includes("cross_attn")));
  }

  /// The words on an axis of a value; none: no tokens stand there.
  labelsOf(name: string, axis: string): string[] {
    if (axis !== "T" && axis !== "S") return [];
    return this.ofSource(name, axis) ? this.opened.sourceLabels! : this.opened.labels;
  }

  /// What stands at a place of an axis: a token's own word.
  word(axis: string, place: number, name: string): string | undefined {
    return this.labelsOf(name, axis)[place];
  }

  private networkLength = 0;

  private async take({ json, arrays }: Answer): Promise<void> {
    this.windows.clear();
    this.answers.clear();
    this.opened = {
      text: json.text, reads: json.reads, model: json.model, models: json.models, labels: json.labels,
      sourceLabels: json.source_labels, sourceIds: arrays.source_ids && integers(arrays.source_ids), ids: integers(arrays.ids), notes: json.notes,
      edited: (json.edited ?? []).map((edit: string) => (edit.startsWith("{") ? JSON.parse(edit) : edit)), swaps: json.swaps, training: json.training,
      asks: json.asks, changes: json.changes, stored: json.stored,
    };
    this.picture = json.reads === "image" ? pictureOf(await this.engine.ask({ ask: "picture" })) : undefined;
    this.series = json.reads === "series" ? seriesOf(await this.engine.ask({ ask: "series" })) : undefined;
    if (this.column >= (this.series?.columns.length ?? 1)) this.column = 0;
    const key = json.model.hash + (json.stored ?? "") + (json.source_labels || !json.labels.length ? this.turn : "");
    if (key === this.networkOf) return;
    const { json: graph } = await this.engine.ask({ ask: "stages" });
    this.network = {
      stages: graph.stages, groups: graph.groups, aliases: graph.aliases,
      values: new Map(graph.values.map((value: Value) => [value.name, value])),
    };
    this.networkLength = this.opened.ids.length;
    this.networkOf = key;
  }
}
