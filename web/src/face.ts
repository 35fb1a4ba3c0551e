// What a token looks like where tokens are listed: of an image its patch, of a series its stretch of the curve.
import { patchFace } from "./picture";
import { Session } from "./session";
import { stretchFace } from "./series";

/// Nothing: the token is a word, or stands for no patch ([CLS]).
export function faceOf(session: Session, token: number, size: number): HTMLElement | SVGElement | undefined {
  const { picture, series } = session;
  if (picture) return patchFace(picture, token, size);
  return series && stretchFace(series, session.column, token, [Math.round(size * 1.6), size]);
}

/// A place on an axis of a value.
export function faceAt(session: Session, axis: string, place: number, size: number): HTMLElement | SVGElement | undefined {
  return axis === "T" || axis === "S" ? faceOf(session, place, size) : undefined;
}

/// What stands beside the rows and above the columns of a matrix of queries and keys.
export interface Faces {
  row(i: number, size: number): HTMLElement | SVGElement | undefined;
  column(i: number, size: number): HTMLElement | SVGElement | undefined;
}
export function facesOf(session: Session, rows: number, columns: number): Faces | undefined {
  if (session.opened.reads === "text") return undefined;
  return { row: (i, size) => faceOf(session, rows + i, size), column: (i, size) => faceOf(session, columns + i, size) };
}
