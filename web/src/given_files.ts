// Files that the page is given: one model file, or a folder of the hub's; what of them a model is read from.
import { EngineError } from "./engine";
import { GivenFile, GivenModel } from "./wasm_calls";

interface Found {
  path: string;  // with the folders that it lies in
  file: File;
}

const readable = /\.(safetensors|gguf|json|model|txt|tiktoken|jinja|bpe|spm)$|(^|\/)tok[^/]*\.bin$/i;
// A page has 4 GB for the file, what is read of it, and the run.
const most = 3_000_000_000;

export function modelOf(found: Found[]): GivenModel {
  if (found.length === 1) return { name: found[0].file.name, files: checked([{ path: "", file: found[0].file }]) };
  const folder = /^([^/]*)\//.exec(found[0]?.path ?? "")?.[1];
  const together = folder !== undefined && found.every(({ path }) => path.startsWith(folder + "/"));
  const files = found.map(({ path, file }) => ({ path: together ? path.slice(folder.length + 1) : path, file }))
    .filter(({ path }) => readable.test(path) && !/(^|\/)\./.test(path));
  return { name: together ? folder : "model", files: checked(files.length ? files : [{ path: found[0].path, file: found[0].file }]) };
}

function checked(files: GivenFile[]): GivenFile[] {
  const size = files.reduce((all, { file }) => all + file!.size, 0);
  if (size > most)
    throw new EngineError(`${files.length === 1 ? (files[0].file as File).name : "the folder"} has ${(size / 1e9).toFixed(1)} GB, and a page reads at most ${most / 1e9} GB; open it by limpid explore --model`, "call");
  return files;
}

/// Of a drop: files, and what lies in folders.
export async function filesOf(transfer: DataTransfer): Promise<Found[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry): entry is FileSystemEntry => !!entry);
  if (!entries.length) return [...transfer.files].map((file) => ({ path: file.name, file }));
  const found: Found[] = [];
  for (const entry of entries) await walk(entry, entry.name, found, 3);
  return found;
}

async function walk(entry: FileSystemEntry, path: string, found: Found[], deep: number): Promise<void> {
  if (entry.isFile) {
    found.push({ path, file: await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed)) });
  } else if (deep > 0) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {  // it gives a hundred at a time
      const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      for (const each of some) await walk(each, `${path}/${each.name}`, found, deep - 1);
    }
  }
}
