// How a network's stages stand on the page, from the graph alone.
import firstView from "./first_view.json";
import { Group, Network, Stage, Value } from "./session";
import { Role } from "./palette";

export interface VectorColumn {
  kind: "vector";
  id: string;
  value: Value;
  label: string;
  role: Role;
  minor: boolean;  // closed to a bar until somebody opens it
  adds: string[];  // what a residual sum reads
}

export interface TripleColumn {
  kind: "triple";  // query, key, value of one head
  id: string;
  group: Group;
  parts: { role: "query" | "key" | "value"; value: Value }[];
}

export interface AttentionColumn {
  kind: "attention";
  id: string;
  group: Group;
  stages: Stage[];
  heads: number;
  pattern: Value;
}

export type Column = VectorColumn | TripleColumn | AttentionColumn;

export interface Section {
  name: string;    // "blocks.3"; empty: before or after the blocks
  columns: Column[];
  attentions: string[];
}

// Whether a stage's column is open before anybody opens it.
function isMain(stage: Stage): boolean {
  const has = (word: string) => stage.operation.includes(word);
  return firstView.operations.includes(stage.operation) || firstView.operations_with.some(has) || (!stage.block && firstView.operations_with_outside_blocks.some(has));
}

/// Before the blocks, each block, and after them, in the order of the graph.
export function sectionsOf(network: Network): Section[] {
  const out: Section[] = [];
  let section: Section | undefined;
  const groups = new Map(network.groups.map((group) => [group.name, group]));
  const done = new Set<string>();
  for (const stage of network.stages) {
    const name = stage.block ?? "";
    if (!section || section.name !== name) out.push((section = { name, columns: [], attentions: [] }));
    const column = columnOf(network, stage, groups, done);
    if (column?.kind === "attention") {
      section.attentions.push(column.id);
      const triple = tripleOf(network, column);
      if (triple) section.columns.push(triple);
    }
    if (column) section.columns.push(column);
  }
  return out.filter((each) => each.columns.length);
}

function columnOf(network: Network, stage: Stage, groups: Map<string, Group>, done: Set<string>): Column | undefined {
  if (stage.group) {
    if (done.has(stage.group)) return undefined;
    done.add(stage.group);
    const stages = network.stages.filter((each) => each.group === stage.group);
    const pattern = stages.flatMap((each) => each.outputs).map((name) => network.values.get(name)!).filter(isSquare).at(-1);
    if (!pattern) return undefined;
    return { kind: "attention", id: stage.group, group: groups.get(stage.group)!, stages, heads: pattern.sizes[1], pattern };
  }
  const value = network.values.get(stage.outputs[0]);
  if (!value || stage.role !== "plain" || !hasVectors(value)) return undefined;
  const adds = stage.operation === "add";
  return {
    kind: "vector", id: value.name, value, label: stage.label, role: stage.role,
    minor: !isMain(stage), adds: adds ? stage.inputs : [],
  };
}

function tripleOf(network: Network, attention: AttentionColumn): TripleColumn | undefined {
  const parts: TripleColumn["parts"] = [];
  for (const role of ["key", "query", "value"] as const) {
    const value = attention.group.inputs.map((name) => network.values.get(name)!)
      .find((each) => each && roleOf(network, each) === role && each.axes.endsWith("D"));
    if (value) parts.push({ role, value });
  }
  return parts.length ? { kind: "triple", id: `${attention.id} triple`, group: attention.group, parts } : undefined;
}

export function roleOf(network: Network, value: Value): Role {
  return network.stages.find((stage) => stage.name === value.stage)?.role ?? "plain";
}

export function isSquare(value: Value): boolean {
  return value.axes === "BHTS";
}

/// Whether it has a row of numbers for each token.
function hasVectors(value: Value): boolean {
  return value.kind === "stage" && value.axes.startsWith("B") && "TS".includes(value.axes[1] ?? "x") && value.axes.length >= 3 &&
    !value.axes.includes("V");
}

/// How the numbers of one token are folded into a tile of cells.
export interface Fold {
  columns: number;
  rows: number;
  cell: [number, number];
  shown: number;
}

export function foldOf(count: number, width: number, height: number): Fold {
  let side = Math.max(1, Math.floor(Math.sqrt((width * height) / count)));
  while (side > 1 && Math.ceil(count / Math.floor(width / side)) * side > height) side--;
  const most = Math.max(1, Math.floor(width / side));
  let columns = Math.min(count, most);
  for (let even = columns; even > columns * 0.6; --even)
    if (count % even === 0 && (count / even) * side <= height) { columns = even; break; }
  const rows = Math.min(Math.ceil(count / columns), Math.max(1, Math.floor(height / side)));
  const tall = Math.max(side, Math.min(Math.floor(height / rows), Math.round(side * 1.6)));
  return { columns, rows, cell: [side, tall], shown: Math.min(count, columns * rows) };
}

/// The edges of some rows on the page, for ribbons.
export interface Port {
  left: number;
  right: number;
  bands: [number, number][];
  role: Role;
}
