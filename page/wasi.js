// Runs a WASI program (preview 1) that reads its standard input, writes its standard output, and can do nothing else: no
// files, no clock, no network.

const SUCCESS = 0;
const BAD_DESCRIPTOR = 8;
const [INPUT, OUTPUT, ERRORS] = [0, 1, 2];

/** The end of the program, with its exit code. */
class Exit extends Error {
  constructor(code) {
    super(`the module ended with ${code}`);
    this.code = code;
  }
}

/**
 * Runs the program of `module`, a WebAssembly.Module, on `input`, a Uint8Array.
 * @returns {Promise<string>} what it writes. Rejects if it traps, or fails.
 */
async function run(module, input) {
  let memory;
  let read = 0;
  const written = { [OUTPUT]: [], [ERRORS]: [] };
  const text = (descriptor) => {
    const decoder = new TextDecoder();
    return written[descriptor].map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  };
  const bytes = (at, length) => new Uint8Array(memory.buffer, at, length);
  const setNumber = (at, number) => new DataView(memory.buffer).setUint32(at, number, true);
  const buffers = (at, count) => {
    const numbers = new DataView(memory.buffer);
    return Array.from({ length: count }, (_, index) => {
      const [start, length] = [at + 8 * index, at + 8 * index + 4].map((place) => numbers.getUint32(place, true));
      return bytes(start, length);
    });
  };
  const wasi = {
    fd_read(descriptor, at, count, total) {
      if (descriptor !== INPUT) return BAD_DESCRIPTOR;
      const before = read;
      for (const buffer of buffers(at, count)) {
        const part = input.subarray(read, read + buffer.length);
        buffer.set(part);
        read += part.length;
      }
      setNumber(total, read - before);
      return SUCCESS;
    },
    fd_write(descriptor, at, count, total) {
      if (descriptor !== OUTPUT && descriptor !== ERRORS) return BAD_DESCRIPTOR;
      const parts = buffers(at, count).map((buffer) => buffer.slice());
      written[descriptor].push(...parts);
      setNumber(total, parts.reduce((sum, part) => sum + part.length, 0));
      return SUCCESS;
    },
    environ_sizes_get(count, size) {
      setNumber(count, 0);
      setNumber(size, 0);
      return SUCCESS;
    },
    environ_get: () => SUCCESS,
    random_get(at, length) {
      crypto.getRandomValues(bytes(at, length));
      return SUCCESS;
    },
    proc_exit(code) {
      throw new Exit(code);
    },
  };
  const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi });
  memory = exports.memory;
  try {
    exports._start();
  } catch (error) {
    if (!(error instanceof Exit && error.code === 0)) throw new Error(`${error.message} ${text(ERRORS)}`.trim());
  }
  return text(OUTPUT);
}
