// limpid.wasm, as Node and the browser load it alike: the functions of WASI that it asks for, and its calls, by bytes
// (apps/web/module.cpp).

interface Exports {
  memory: WebAssembly.Memory;
  _initialize?(): void;
  limpid_alloc(size: number): number;
  limpid_free(address: number): void;
  limpid_answer_size(): number;
  limpid_give_file(name: number, nameSize: number, bytes: number, size: number): void;
  limpid_give_input(name: number, nameSize: number, bytes: number, size: number): void;
  limpid_drop_files(): void;
  limpid_add_model(name: number, size: number, builtin: number): number;
  limpid_set_training(title: number, titleSize: number, log: number, logSize: number): void;
  limpid_begin(text: number, size: number): number;
  limpid_ask(request: number, size: number): number;
}

const done = 0, badDescriptor = 8, notSupported = 52;

/// What a file is read from: all of it, or one piece after another.
export interface Pieces {
  size: number;
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export class WasmModule {
  private exports!: Exports;
  private readonly text = new TextEncoder();
  private written = "";

  /// Throws for a module that asks for more than WASI.
  static async from(module: WebAssembly.Module): Promise<WasmModule> {
    const made = new WasmModule();
    const instance = await WebAssembly.instantiate(module, made.imports(module));
    made.exports = instance.exports as unknown as Exports;
    made.exports._initialize?.();
    return made;
  }

  /// Hands over a file of the model that is added next; "": the model is this file.
  async giveFile(name: string, file: Pieces): Promise<void> {
    const address = this.room(file.size);
    let at = 0;
    try {
      for await (const piece of file.pieces) {
        if (at + piece.length > file.size) throw new Error(`${name || "the file"} has grown while it was read`);
        new Uint8Array(this.exports.memory.buffer, address + at, piece.length).set(piece);
        at += piece.length;
      }
      if (at !== file.size) throw new Error(`${name || "the file"} ends after ${at} of ${file.size} bytes`);
    } catch (problem) {
      this.exports.limpid_free(address);
      throw problem;
    }
    this.withText([name], (text, size) => this.exports.limpid_give_file(text, size, address, file.size));
  }

  /// The image or the series that the model added next begins with: f32, as the network reads it.
  giveInput(name: string, bytes: Uint8Array): void {
    const address = this.room(bytes.length);
    new Uint8Array(this.exports.memory.buffer, address, bytes.length).set(bytes);
    this.withText([name], (text, size) => this.exports.limpid_give_input(text, size, address, bytes.length));
  }

  dropFiles(): void {
    this.exports.limpid_drop_files();
  }

  /// Each returns the bytes of an answer.
  addModel(name: string, builtin = false): ArrayBuffer {
    return this.withText([name], (text, size) => this.answer(this.exports.limpid_add_model(text, size, builtin ? 1 : 0)));
  }
  begin(text: string): ArrayBuffer {
    return this.withText([text], (at, size) => this.answer(this.exports.limpid_begin(at, size)));
  }
  ask(request: string): ArrayBuffer {
    return this.withText([request], (at, size) => this.answer(this.exports.limpid_ask(at, size)));
  }
  setTraining(title: string, log: string): void {
    this.withText([title, log], (...given) => this.exports.limpid_set_training(given[0], given[1], given[2], given[3]));
  }

  // ---- memory -------------------------------------------------------------------------------------------------

  private room(size: number): number {
    const address = this.exports.limpid_alloc(size);
    if (!address) throw new Error(`there is no memory for ${size} bytes: a page has at most 4 GB`);
    return address >>> 0;
  }

  // Calls with the address and the size of each text, which are gone afterwards.
  private withText<T>(texts: string[], call: (...given: number[]) => T): T {
    const addresses: number[] = [], given: number[] = [];
    for (const each of texts) {
      const bytes = this.text.encode(each), address = this.room(bytes.length);
      new Uint8Array(this.exports.memory.buffer, address, bytes.length).set(bytes);
      addresses.push(address);
      given.push(address, bytes.length);
    }
    const result = call(...given);
    addresses.forEach((address) => this.exports.limpid_free(address));
    return result;
  }

  private answer(address: number): ArrayBuffer {
    const from = address >>> 0;
    return this.exports.memory.buffer.slice(from, from + this.exports.limpid_answer_size());
  }

  // ---- WASI ---------------------------------------------------------------------------------------------------

  private view(): DataView {
    return new DataView(this.exports.memory.buffer);
  }

  // What the module prints (nothing, unless it ends itself) goes to the console.
  private write(descriptor: number, list: number, count: number, size: number): number {
    if (descriptor !== 1 && descriptor !== 2) return badDescriptor;
    let all = 0;
    for (let i = 0; i < count; i++) {
      const at = this.view().getUint32(list + 8 * i, true), length = this.view().getUint32(list + 8 * i + 4, true);
      this.written += new TextDecoder().decode(new Uint8Array(this.exports.memory.buffer, at, length));
      all += length;
    }
    this.view().setUint32(size, all, true);
    const lines = this.written.split("\n");
    this.written = lines.pop()!;
    lines.forEach((line) => console.error(line));
    return done;
  }

  private imports(module: WebAssembly.Module): WebAssembly.Imports {
    const noStrings = (count: number, size: number) => {
      this.view().setUint32(count, 0, true);
      this.view().setUint32(size, 0, true);
      return done;
    };
    const wasi: Record<string, (...given: any[]) => unknown> = {
      fd_write: (descriptor, list, count, size) => this.write(descriptor, list, count, size),
      fd_read: () => badDescriptor,
      fd_seek: () => badDescriptor,
      fd_close: () => badDescriptor,
      fd_sync: () => badDescriptor,
      fd_fdstat_get: () => badDescriptor,
      environ_sizes_get: noStrings,
      environ_get: () => done,
      args_sizes_get: noStrings,
      args_get: () => done,
      clock_time_get: (clock, _precision, at) => {
        const time = clock === 0 ? BigInt(Date.now()) * 1000000n : BigInt(Math.round(performance.now() * 1000)) * 1000n;
        this.view().setBigUint64(at, time, true);
        return done;
      },
      clock_res_get: (_clock, at) => {
        this.view().setBigUint64(at, 1000n, true);
        return done;
      },
      random_get: (at, size) => {
        const most = 65536;
        for (let from = 0; from < size; from += most)
          crypto.getRandomValues(new Uint8Array(this.exports.memory.buffer, at + from, Math.min(most, size - from)));
        return done;
      },
      sched_yield: () => done,
      poll_oneoff: () => notSupported,
      proc_exit: (status) => {
        throw new Error(`the engine ended itself with status ${status}`);
      },
    };
    const asked: WebAssembly.ModuleImports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from !== "wasi_snapshot_preview1" || !wasi[name])
        throw new Error(`limpid.wasm asks for ${from}.${name}, which is not of WASI's functions here`);
      asked[name] = wasi[name];
    }
    return { wasi_snapshot_preview1: asked };
  }
}
