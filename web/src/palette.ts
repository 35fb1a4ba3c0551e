// The colours of limpid's figures (src/draw/scene/palette.cpp; web/tests holds them to it): query blue, key
// vermilion, value green, scores and weights purple, all else grey.  A matrix goes from pale to deep.

export type Role = "plain" | "query" | "key" | "value" | "weights";
export type Theme = "light" | "dark";

type Scale = readonly [pale: string, middle: string, deep: string];

export const scales: Record<Theme, Record<Role, Scale>> = {
  light: {
    plain: ["#fafbfc", "#8b94a5", "#2a303b"],
    query: ["#f3f9fd", "#4a9fd3", "#00436b"],
    key: ["#fdf6f0", "#e8873f", "#7a3600"],
    value: ["#f1faf6", "#45b794", "#00523c"],
    weights: ["#faf6fc", "#a678c6", "#4b1f69"],
  },
  dark: {
    plain: ["#1d2129", "#6b7485", "#d4d9e2"],
    query: ["#16222c", "#2b79a8", "#a5dbfb"],
    key: ["#2a1d15", "#b2622c", "#ffc59f"],
    value: ["#15251f", "#1f8a6b", "#98ecd0"],
    weights: ["#221a2a", "#8257a1", "#ead2fb"],
  },
};

export const paints: Record<string, readonly [light: string, dark: string]> = {
  page: ["#ffffff", "#14171d"], block: ["#f7f8fa", "#1b1f27"], group: ["#eef0f5", "#232833"],
  edge: ["#d5dae3", "#3a4250"], box: ["#ffffff", "#14171d"], ink: ["#1f2430", "#e8ebf1"],
  soft: ["#5b6475", "#a9b2c1"], faint: ["#c3c9d4", "#4a5361"], hole: ["#f1f2f5", "#20242c"],
  plain: ["#8b94a5", "#8993a5"], query: ["#0072b2", "#56b4e9"], key: ["#d55e00", "#ff9350"],
  value: ["#009e73", "#35cfa2"], weights: ["#8a4fb0", "#c79be6"],
};

type Rgb = [number, number, number];

export const heatLevels = 32;

export interface Heat {
  ground: string;
  ink: string;
}

const tables = new Map<string, Heat[]>();

/// The grounds and inks of a role's scale, level by level.
export function heatTable(role: Role, theme: Theme): Heat[] {
  const key = role + theme;
  let table = tables.get(key);
  if (!table) {
    const [pale, middle, deep] = scales[theme][role].map(rgb) as [Rgb, Rgb, Rgb];
    table = Array.from({ length: heatLevels + 1 }, (_, level) => {
      const shade = level / heatLevels;
      const colour = shade < 0.5 ? mixed(pale, middle, 2 * shade) : mixed(middle, deep, 2 * shade - 1);
      const dark = luminance(colour);
      const ink = (dark + 0.05) / (luminance([10, 12, 16]) + 0.05) >= 1.05 / (dark + 0.05) ? "#0a0c10" : "#ffffff";
      return { ground: `rgb(${colour.map(Math.round).join(",")})`, ink };
    });
    tables.set(key, table);
  }
  return table;
}

export function heatLevel(shade: number): number {
  return Math.round(Math.min(Math.max(shade, 0), 1) * heatLevels);
}

export function paint(name: string, theme: Theme): string {
  return paints[name][theme === "dark" ? 1 : 0];
}

function rgb(colour: string): Rgb {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as Rgb;
}

function mixed(a: Rgb, b: Rgb, share: number): Rgb {
  return a.map((x, i) => x + (b[i] - x) * share) as Rgb;
}

function luminance(c: Rgb): number {
  const linear = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
