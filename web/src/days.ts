// Days of an application's clock, and the periods that are made of them.

const DAY = 86_400_000;
const text = (at: Date) => at.toISOString().slice(0, 10);
const day = (at: string) => new Date(`${at}T00:00:00Z`);
export const plus = (at: string, days: number) => text(new Date(day(at).getTime() + days * DAY));
export const between = (from: string, until: string) => Math.round((day(until).getTime() - day(from).getTime()) / DAY) + 1;

/** What the clock of a zone shows, as if it were that of UTC. By parts: engines write the same date in different orders. */
export function shownAt(at: Date, zone: string | undefined): Date {
  const number = "numeric";
  const options: Intl.DateTimeFormatOptions = { hourCycle: "h23", year: number, month: number, day: number, hour: number, minute: number, second: number };
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone });
  } catch {
    format = new Intl.DateTimeFormat("en-US", options); // a zone that this browser does not know
  }
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  return new Date(Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second")));
}

/** Today, by the clock of a zone. */
export const today = (zone: string | undefined, now = new Date()): string => text(shownAt(now, zone));

/** What the API is asked for: it knows `today`, `7d`, `month` and ranges. */
export function asked(period: string, zone: string | undefined): string {
  const now = today(zone);
  const month = `${now.slice(0, 8)}01`;
  const monday = plus(now, -((day(now).getUTCDay() + 6) % 7));
  switch (period) {
    case "week":
      return `${monday}..${now}`;
    case "last_week":
      return `${plus(monday, -7)}..${plus(monday, -1)}`;
    case "yesterday":
      return `${plus(now, -1)}..${plus(now, -1)}`;
    case "last_month":
      return `${plus(month, -1).slice(0, 8)}01..${plus(month, -1)}`;
    case "year":
      return `${now.slice(0, 5)}01-01..${now}`;
    case "12months": {
      const [year, of] = now.split("-");
      return `${plus(`${Number(year) - 1}-${of}-01`, 0)}..${now}`;
    }
    default:
      return period;
  }
}

/** As many days before (-1) or after (1); `undefined`: they are all to come. */
export function moved(from: string, until: string, by: number, zone: string | undefined): string | undefined {
  const days = between(from, until) * by;
  return plus(from, days) > today(zone) ? undefined : `${plus(from, days)}..${plus(until, days)}`;
}

/** The last day of a month. */
export function endOfMonth(at: string): string {
  const [year, month] = at.split("-").map(Number);
  return text(new Date(Date.UTC(year!, month!, 0)));
}

/** The interval that fits so many days, and those that are possible. */
export const intervals = (days: number): ("hour" | "day" | "month")[] =>
  days <= 2 ? ["hour"] : days <= 8 ? ["day", "hour"] : days <= 62 ? ["day"] : days <= 190 ? ["day", "month"] : ["month", "day"];
