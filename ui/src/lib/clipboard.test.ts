import { afterEach, describe, expect, it, vi } from "vitest";
import { copyText } from "./clipboard";

const has = (clipboard: unknown) => vi.stubGlobal("navigator", { clipboard });

afterEach(() => {
  vi.unstubAllGlobals();
  Reflect.deleteProperty(document, "execCommand");
});

describe("copyText", () => {
  it("uses the clipboard where there is one", async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    has({ writeText });
    await copyText("words");
    expect(writeText).toHaveBeenCalledWith("words");
  });

  it("selects the text where there is none, and leaves nothing behind", async () => {
    has(undefined);
    let selected = "";
    document.execCommand = () => {
      selected = (document.activeElement as HTMLTextAreaElement).value;
      return true;
    };
    await copyText("line 1\nline 2");
    expect(selected).toBe("line 1\nline 2");
    expect(document.querySelector("textarea")).toBeNull();
  });

  it("does so too where the browser forbids it", async () => {
    has({ writeText: vi.fn().mockRejectedValue(new DOMException("no", "NotAllowedError")) });
    document.execCommand = () => true;
    await expect(copyText("words")).resolves.toBeUndefined();
  });

  it("fails where nothing helps", async () => {
    has(undefined);
    document.execCommand = () => false;
    await expect(copyText("words")).rejects.toThrow();
  });
});
