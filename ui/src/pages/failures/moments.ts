/** Moments as inputs of type datetime-local have them. Pure. */
import { absolute } from "~/lib/format";

/** A moment as it is typed there; nothing for what is none. */
export function typed(moment: string | undefined, zone: "local" | "utc"): string {
  const date = moment ? new Date(moment) : undefined;
  if (!date || Number.isNaN(date.getTime())) return "";
  return absolute(date, zone).slice(0, 16).replace(" ", "T");
}

/** What is meant by what was typed there; undefined for nothing. */
export function meant(value: string, zone: "local" | "utc"): string | undefined {
  const date = new Date(zone === "utc" ? `${value}Z` : value);
  return value === "" || Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
