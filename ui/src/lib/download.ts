/** Saves *content* as a file of the browser. */
export function download(name: string, content: string | Uint8Array, type = "application/octet-stream"): void {
  const address = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Saves *items* as JSON lines. */
export const downloadLines = (name: string, items: readonly unknown[]): void =>
  download(name, items.map((item) => `${JSON.stringify(item)}\n`).join(""), "application/x-ndjson");
