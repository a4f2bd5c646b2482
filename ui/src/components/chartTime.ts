/** Moments on the axis of a chart, as everywhere else: ISO, 24 hours, by the clock of a zone. Pure. */

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(seconds: number, zone: "local" | "utc"): { day: string; minute: string; second: string } {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("sv-SE", {
      dateStyle: "short",
      timeStyle: "medium",
      timeZone: zone === "utc" ? "UTC" : undefined,
    });
    formats.set(zone, format);
  }
  const [day = "", time = ""] = format.format(new Date(seconds * 1000)).split(" ");
  return { day: day.slice(5), minute: time.slice(0, 5), second: time };
}

/** Texts for *moments* that are *step* seconds apart; the day where it is another than before, and first of several. */
export function axisTimes(moments: readonly number[], step: number, zone: "local" | "utc"): string[] {
  const all = moments.map((moment) => parts(moment, zone));
  const days = new Set(all.map((each) => each.day));
  return all.map(({ day, minute, second }, i) => {
    if (step >= 86_400) return day;
    const time = step < 60 ? second : minute;
    return days.size > 1 && day !== all[i - 1]?.day ? `${time}\n${day}` : time;
  });
}
