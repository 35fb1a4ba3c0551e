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

/// Of a drop: files, and what lies in folders.  What it holds can be asked for during the event alone.
export async function filesOf(transfer: DataTransfer): Promise<Found[]> {
  const dropped = [...transfer.items].filter((item) => item.kind === "file").map((item) => {
    const folder = item.webkitGetAsEntry?.();
    if (!folder?.isDirectory) return { file: item.getAsFile() };
    return { folder: folder as FileSystemDirectoryEntry, handle: (item as HandleItem).getAsFileSystemHandle?.() };
  });
  const found: Found[] = [];
  for (const { file, folder, handle } of dropped) {
    if (file) found.push({ path: file.name, file });
    if (folder) found.push(...(await inFolder(folder, handle)));
  }
  return found;
}

// The way of a drop that Chromium alone has, and TypeScript not yet.
interface Handle { kind: string; name: string; getFile(): Promise<File>; values(): AsyncIterable<Handle> }
type HandleItem = DataTransferItem & { getAsFileSystemHandle?(): Promise<Handle> };
const deepest = 3;

// A page that was opened from a disk is refused the files of an entry in Chromium (EncodingError), but not those of a handle.
async function inFolder(folder: FileSystemDirectoryEntry, handle: Promise<Handle> | undefined): Promise<Found[]> {
  try {
    const found: Found[] = [];
    await walk(folder, folder.name, found, deepest);
    return found;
  } catch (problem) {
    const other = await handle?.catch(() => undefined);
    if (!other) throw new EngineError(`the folder ${folder.name} cannot be read by this page (${(problem as Error).message}); drop the files that it holds`, "call");
    const found: Found[] = [];
    await walkHandle(other, other.name, found, deepest);
    return found;
  }
}

async function walkHandle(handle: Handle, path: string, found: Found[], deep: number): Promise<void> {
  if (handle.kind === "file") found.push({ path, file: await handle.getFile() });
  else if (deep > 0) for await (const each of handle.values()) await walkHandle(each, `${path}/${each.name}`, found, deep - 1);
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
