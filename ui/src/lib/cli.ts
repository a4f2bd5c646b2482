/** Commands of the command line that do or show the same as a page. Pure. */

/** One word, quoted for a POSIX shell where it must be. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * A command from its words.
 *
 * @example command("queue", "ls") // "asynqpy queue ls"
 */
export const command = (...words: (string | number)[]): string =>
  ["asynqpy", ...words.map((word) => quoted(String(word)))].join(" ");
