// How numbers are written: one way for all of the page.  No number is computed here.

const minus = "\u2212";

/// Four digits after the point; very small and very large ones by their power of ten.
export function formatNumber(value: number | string): string {
  return written(value, 4);
}

/// Short, for the inside of a cell.
export function formatCell(value: number): string {
  return written(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2, 2);
}

/// As many digits as 32 bits hold.
export function formatLong(value: number | string): string {
  const number = numberOf(value);
  return Number.isFinite(number) ? Number(number.toPrecision(8)).toString().replace("-", minus) : written(value, 4);
}

/// A constant of an equation: whole numbers without digits after the point.
export function formatConstant(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value).replace("-", minus) : formatNumber(value);
}

export function formatCount(value: number, language: string): string {
  return value.toLocaleString(language);
}

/// Numbers that are not finite travel as texts.
export function numberOf(value: number | string): number {
  if (typeof value === "number") return value;
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : NaN;
}

function written(given: number | string, digits: number, powerDigits = 1): string {
  const value = numberOf(given);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? minus + "\u221e" : "\u221e";
  const size = Math.abs(value);
  const small = size > 0 && size < 0.5 * 10 ** -digits && digits === 4;
  const text = small || size >= 1e6 ? value.toExponential(powerDigits) : value.toFixed(digits);
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replaceAll("-", minus);
}
