/** Bytes as people read them: sixteen a line, in hex and as characters. Pure. */

/** The bytes that Base64 *text* stands for. */
export function fromBase64(text: string): Uint8Array {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = characters.charCodeAt(at);
  return bytes;
}

/** Lines such as `00000010  0a 0d …  |..|`. */
export function hexDump(data: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const codes = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const hex = `${codes.slice(0, 8).join(" ")}  ${codes.slice(8).join(" ")}`.padEnd(48);
    const characters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  |${characters}|`);
  }
  return lines.join("\n");
}
