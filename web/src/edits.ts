// What has been changed of the run, as the protocol writes it, and in words.
import { Session } from "./session";
import { blockLabel } from "./flow_strips";
import { isPatch, wordsOfPatch } from "./patch";
import { words } from "./words";

export function headOffEdit(attention: string, head: number): string {
  return `${attention}.z[H=${head}]=zero`;
}

export function cutEdit(attention: string, head: number, query: number, key: number): string {
  return `${attention}.pattern[H=${head}]=cut:${query}>${key}`;
}

/// What an edit does, for the list of edits.
export function wordsOf(edit: unknown, session: Session): string {
  if (isPatch(edit)) return wordsOfPatch(edit, session);
  if (typeof edit !== "string") return JSON.stringify(edit);
  const off = /^(.+)\.attn\.z\[H=(\d+)\]=zero$/.exec(edit);
  if (off) return words.headOff(blockLabel(off[1]), off[2]);
  const cut = /^(.+)\.attn\.pattern\[H=(\d+)\]=cut:(\d+)>(\d+)$/.exec(edit);
  if (cut) {
    const word = (axis: string, place: string) => session.word(axis, Number(place), cut[1] + ".attn.pattern") ?? place;
    return words.edgeCut(`${blockLabel(cut[1])}, ${words.headNumber(Number(cut[2]))}`, word("T", cut[3]), word("S", cut[4]));
  }
  return edit;
}
