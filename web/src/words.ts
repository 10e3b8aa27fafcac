// The language of the page: words, numbers, dates, and names of countries and languages.
import type { Key as OfAlert } from "./words/alert-en";
import type { Key as OfAlerts } from "./words/alerts-en";
import { PROPERTY } from "./view";
import type { Key as Common, Words } from "./words/en";
import type { Key as OfHelp } from "./words/help-en";
import type { Key as OfLists } from "./words/lists-en";
import type { Key as More } from "./words/more-en";
import type { Key as OfNumbers } from "./words/numbers-en";
import type { Key as OfForm } from "./words/panelform-en";
import type { Key as OfPanels } from "./words/panels-en";
import type { Key as OfProperties } from "./words/properties-en";
import type { Key as OfRetention } from "./words/retention-en";
import type { Key as OfRules } from "./words/rules-en";
import type { Key as OfSegments } from "./words/segment-en";
import type { Key as OfSignIn } from "./words/signin-en";
import type { Key as OfSilences } from "./words/silences-en";

type OfPart = OfAlert | OfForm | OfHelp | OfLists | OfPanels | OfProperties | OfRetention | OfRules | OfSegments | OfSignIn | OfSilences;
export type Key = Common | More | OfAlerts | OfNumbers | OfPart;
type Is<T extends true> = T;
/** The words of every page are in no other dictionary: whichever is loaded last would have its way. */
export type Distinct = Is<[(Common & (More | OfAlerts | OfNumbers | OfPart)) | (OfNumbers & (OfForm | OfHelp | OfPanels | OfProperties | OfSegments)) | (OfForm & (OfPanels | OfProperties)) | (OfAlerts & OfPart)] extends [never] ? true : false>;

/** Names of the languages. A dictionary is loaded where it is needed. */
export const LANGUAGES: Record<string, string> = { en: "English", de: "Deutsch", ja: "日本語", ko: "한국어" };

export type Learned = () => Promise<{ words: Partial<Record<Key, string>> }>;
const COMMON: Record<string, Learned> = {
  en: () => import("./words/en"),
  de: () => import("./words/de"),
  ja: () => import("./words/ja"),
  ko: () => import("./words/ko"),
};
/** Those of the pages that are loaded later. */
const MORE: Record<string, Learned> = {
  en: () => import("./words/more-en"),
  de: () => import("./words/more-de"),
  ja: () => import("./words/more-ja"),
  ko: () => import("./words/more-ko"),
};

/** Those of the pages of alerts. */
const ALERTS: Record<string, Learned> = {
  en: () => import("./words/alerts-en"),
  de: () => import("./words/alerts-de"),
  ja: () => import("./words/alerts-ja"),
  ko: () => import("./words/alerts-ko"),
};

/** Those of the pages of numbers. */
const NUMBERS: Record<string, Learned> = {
  en: () => import("./words/numbers-en"),
  de: () => import("./words/numbers-de"),
  ja: () => import("./words/numbers-ja"),
  ko: () => import("./words/numbers-ko"),
};

/** Those of segments. */
export const SEGMENT_WORDS: Record<string, Learned> = {
  en: () => import("./words/segment-en"),
  de: () => import("./words/segment-de"),
  ja: () => import("./words/segment-ja"),
  ko: () => import("./words/segment-ko"),
};

/** Those of the list of keys. */
export const HELP_WORDS: Record<string, Learned> = {
  en: () => import("./words/help-en"),
  de: () => import("./words/help-de"),
  ja: () => import("./words/help-ja"),
  ko: () => import("./words/help-ko"),
};

/** Those of the panel of properties. */
export const PROPERTY_WORDS: Record<string, Learned> = {
  en: () => import("./words/properties-en"),
  de: () => import("./words/properties-de"),
  ja: () => import("./words/properties-ja"),
  ko: () => import("./words/properties-ko"),
};

/** Those of the panels of people. */
const PANELS: Record<string, Learned> = {
  en: () => import("./words/panels-en"),
  de: () => import("./words/panels-de"),
  ja: () => import("./words/panels-ja"),
  ko: () => import("./words/panels-ko"),
};

/** Those of the form of a panel. */
export const FORM_WORDS: Record<string, Learned> = {
  en: () => import("./words/panelform-en"),
  de: () => import("./words/panelform-de"),
  ja: () => import("./words/panelform-ja"),
  ko: () => import("./words/panelform-ko"),
};

const kept = (key: string) => {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // A browser may refuse to keep anything.
  }
};

export const keep = (key: string, value: string) => {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // It is asked again the next time.
  }
};

const chosen = [kept("alt.language"), ...navigator.languages].map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);
/** The language, and the browser's own variant of it for numbers and dates. */
export const language = chosen ?? "en";
const locale = [...navigator.languages].find((tag) => tag.startsWith(language)) ?? language;
const words = {} as Words & Record<Key, string>;

/** Loads the dictionary of every page, or that of others. */
export async function loadWords(of: "common" | "more" | "alerts" | "numbers" | "panels"): Promise<void> {
  const load = { common: COMMON, more: MORE, alerts: ALERTS, numbers: NUMBERS, panels: PANELS }[of][language]!;
  await learn(load);
}

/** Loads a dictionary of a part of a page. */
export async function learn(load: Learned): Promise<void> {
  Object.assign(words, (await load()).words);
}

/** A word. `{0}` becomes the first value; of `one|many`, the first value chooses. */
export function say(key: Key, ...values: (string | number)[]): string {
  let text = words[key];
  const [one, many] = text.split("|");
  if (many) text = values[0] === 1 ? one! : many;
  return text.replace(/\{(\d)\}/g, (_, n) => {
    const value = values[Number(n)] ?? "";
    return typeof value === "number" ? number(value) : value;
  });
}

/** Whether there is such a word. */
export const has = (key: string): key is Key => key in words;

/** `alt-theme`: light, dark, or as the system has it. */
export const theme = () => kept("alt.theme");
export function setTheme(to: string) {
  keep("alt.theme", to);
  document.documentElement.dataset.theme = to;
}

const plain = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const decimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 2, minimumFractionDigits: 2 });

/** All digits. */
export const number = (n: number) => plain.format(n);
const exactly = new Intl.NumberFormat(locale, { maximumFractionDigits: 6 });
/** An exact decimal number, of its text; what is none stays as it is. */
export const decimals = (text: string) => (text && !Number.isNaN(Number(text)) ? exactly.format(text as unknown as number) : text);
const withSign = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
/** How much more or less. */
export const signed = (n: number) => withSign.format(n);
/** As many digits as there is room for. */
export const compact = (n: number) => (Math.abs(n) < 100_000 ? plain.format(n) : short.format(n));
export const percent = (share: number) => (share > 0 && share < 0.1 ? fine : percents).format(share);
export const ratio = (n: number) => decimal.format(n);

/** What something is worth, each currency by itself; a currency that is none is only a text. */
export function money(all: { currency: string; amount: string }[]): string {
  const one = ({ currency, amount }: { currency: string; amount: string }) => {
    try {
      return new Intl.NumberFormat(language, { style: "currency", currency, notation: Math.abs(Number(amount)) < 100_000 ? "standard" : "compact" }).format(Number(amount));
    } catch {
      return `${ratio(Number(amount))} ${currency}`.trim();
    }
  };
  return all.map(one).join(" + ");
}

/** Milliseconds, as people say them. */
export function time(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return say("seconds", seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return say("minutes", minutes, seconds % 60);
  return say("hours", Math.floor(minutes / 60), minutes % 60);
}

/** A change, with its sign: `+12 %`. */
export function change(now: number, before: number): string | undefined {
  if (before === 0) return undefined;
  const by = now / before - 1;
  if (by >= 98) return "×99+"; // There was next to nothing before.
  if (by >= 10) return `×${plain.format(Math.round(by + 1))}`;
  return percents.format(Math.abs(by));
}

// In all languages hours are those of a day: axes and columns have room for five characters.
const HOUR: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const dates: Record<string, Intl.DateTimeFormat> = {};
function formatted(options: Intl.DateTimeFormatOptions, at: Date): string {
  const key = JSON.stringify(options);
  dates[key] ??= new Intl.DateTimeFormat(locale, options);
  return dates[key]!.format(at);
}

/** A day, month or hour of the application's clock (`2026-01-31`, `2026-01`, `2026-01-31T05`), as a date of UTC. */
export function dateOf(at: string): Date {
  const [date = "", hour] = at.replace(" ", "T").split("T");
  return new Date(`${date.length === 7 ? `${date}-01` : date}T${(hour ?? "00").slice(0, 2)}:00:00Z`);
}

const kind = (at: string) => (at.length === 7 ? "month" : at.length > 10 ? "hour" : "day");

/** For the axis: short. */
export function axisName(at: string, isOneDay: boolean): string {
  const date = dateOf(at);
  const of = kind(at);
  if (of === "month") return formatted({ month: "short", year: "numeric", timeZone: "UTC" }, date);
  if (of === "hour" && (isOneDay || date.getUTCHours())) return formatted({ ...HOUR, timeZone: "UTC" }, date);
  return formatted({ day: "numeric", month: "short", timeZone: "UTC" }, date);
}

/** In full. */
export function fullName(at: string): string {
  const date = dateOf(at);
  const of = kind(at);
  if (of === "month") return formatted({ month: "long", year: "numeric", timeZone: "UTC" }, date);
  const hour: Intl.DateTimeFormatOptions = of === "hour" ? HOUR : {};
  return formatted({ weekday: "short", day: "numeric", month: "short", timeZone: "UTC", ...hour }, date);
}

/** `1 – 30 Nov 2026` */
export function range(from: string, until: string): string {
  const days = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return from === until ? days.format(dateOf(from)) : days.formatRange(dateOf(from), dateOf(until));
}

/** A moment, by the clock of a zone. */
export function clock(at: string | Date, zone?: string, seconds = false): string {
  const date = typeof at === "string" ? new Date(at) : at;
  if (Number.isNaN(date.getTime())) return String(at);
  const options: Intl.DateTimeFormatOptions = { ...HOUR };
  if (seconds) options.second = "2-digit";
  if (zone) options.timeZone = zone;
  return formatted(options, date);
}

/** A day and a time, by the clock of a zone. */
export function dateTime(at: string, zone?: string, seconds = false): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const options: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", ...HOUR };
  if (seconds) options.second = "2-digit";
  if (zone) options.timeZone = zone;
  return formatted(options, date);
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
/** How long ago, in the largest unit that fits. */
export function ago(at: string): string {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000;
  const units: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
  const [unit, of] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.round(seconds / of), unit);
}

const regions = new Intl.DisplayNames(locale, { type: "region", fallback: "code" });
const tongues = new Intl.DisplayNames(locale, { type: "language", fallback: "code" });
const CHANNELS = ["direct", "search", "social", "email", "paid", "referral", "campaign", "ai"];
const DEVICES = ["desktop", "phone", "tablet", "tv", "console"];

/** What a value is one of. */
export const oneOf = (dimension: string) => (dimension.startsWith(PROPERTY) ? dimension.slice(PROPERTY.length) : say(`one_${dimension}` as Key));

/** A value of a dimension, for people. */
export function nameOf(dimension: string, value: string): string {
  if (value === "") return say(["campaign", "utm_medium", "utm_term", "utm_content"].includes(dimension) ? "none" : "unknown");
  if (value === "(other)") return say("others");
  try {
    if (dimension === "country") return regions.of(value) ?? value;
    if (dimension === "language") return tongues.of(value) ?? value;
  } catch {
    return value; // Browsers send what they like.
  }
  if (dimension === "channel" && CHANNELS.includes(value)) return say(`ch_${value}` as Key);
  if (dimension === "device" && DEVICES.includes(value)) return say(`dev_${value}` as Key);
  if (dimension === "source" && value === "direct") return say("direct");
  if (dimension === "event" && value === "pageview") return say("pageview");
  if (dimension === "class" && has(`class_${value}`)) return say(`class_${value}` as Key);
  if (dimension === "screen") return `${value.replace("-", "–")} px`;
  if (dimension === "hour") return `${value.padStart(2, "0")}:00`;
  return value;
}
