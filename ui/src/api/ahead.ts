/** Answers that are on their way before the code that wants them: whoever first asks for the same gets one of them. */
const begun = new Map<string, Promise<Response>>();

/** What was not wanted so long after the page was opened will have changed by then. */
const LASTS_MS = 10_000;

function nameOf(address: string): string {
  const { pathname, searchParams } = new URL(address, document.baseURI);
  searchParams.sort();
  return `${pathname}?${searchParams}`;
}

/** Ask for *address* now. */
export function readAhead(address: string): void {
  const answer = globalThis.fetch(address);
  answer.catch(() => {}); // whoever takes it is told
  begun.set(nameOf(address), answer);
}

/** The answer to *request* that was asked for ahead, once. */
export function taken(request: Request): Promise<Response> | undefined {
  const name = nameOf(request.url);
  const answer = request.method === "GET" ? begun.get(name) : undefined;
  begun.delete(name);
  return performance.now() < LASTS_MS ? answer : undefined;
}
