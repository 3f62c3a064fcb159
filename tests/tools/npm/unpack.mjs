// Unpacks the Chromium of the package @sparticuz/chromium, which is compressed with Brotli, into the directory chromium: the
// program, the libraries that a minimal system lacks, and a font with its configuration.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { extract } from "tar-fs";

const packed = "node_modules/@sparticuz/chromium/bin";
const out = "chromium";
const unpack = (name, to) => pipeline(createReadStream(`${packed}/${name}.br`), createBrotliDecompress(), to);

await mkdir(out);
await unpack("chromium", createWriteStream(`${out}/chromium`, { mode: 0o755 }));
await unpack("al2023.tar", extract(out));
await unpack("fonts.tar", extract(out));
// The package's own configuration names places on another system.
const configuration = '<?xml version="1.0"?>\n<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n';
await writeFile(`${out}/fonts.conf`, configuration);
await rm(packed, { recursive: true });
