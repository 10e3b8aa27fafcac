// What the server is asked, and how its answers are read.
import { asked } from "./days";
import { type Metric, PROPERTY, type View, earlierOf, write } from "./view";

export type Counts = Record<string, number>;
export interface Row {
  name: string;
  counts: Counts;
  before?: Counts;
  /** What events are worth, by currency: exact, as texts. */
  revenue?: { currency: string; amount: string }[];
  /** Of searches: those without results. */
  empty?: number;
  /** The numbers of the property that is summed: exact, as a text. */
  sum?: string;
  /** All that events say, summed, as the API has it. */
  amounts?: Record<string, unknown>;
}
export interface Values {
  rows: Row[];
  isCut: boolean;
  /** What has to be known of them. */
  notes: string[];
}
export interface Application {
  id: string;
  name: string;
  zone: string;
  domains?: string[];
  role?: string;
  /** The properties that it has chosen. */
  properties: string[];
}
export interface Answer {
  app: Application;
  from: string;
  until: string;
  isOver: boolean;
  total: Counts;
  points: Row[];
  /** `time`: the last day is compared up to this moment only. */
  before?: undefined | { from: string; until: string; time?: string; total: Counts; points: Row[] };
  lists: Record<string, Values>;
  /** `undefined`: a reader who is bound to a filter may not know. */
  current: number | undefined;
  leftOut: { name: string; events: number }[];
  asOf?: string;
  isComplete: boolean;
  daysBeingComputed: number;
  notes: string[];
  /** What happened on days. */
  happened: { day: string; text: string }[];
  /** See {@link withMeaning}. */
  hasNoViews: boolean;
}

/** Why there is no answer. Status 0: nobody answered. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** `code`, `link`, `password` or `provider`: what is needed beside. */
    readonly needs = "",
    /** The key of a rule that is wrong. */
    readonly field = "",
  ) {
    super(message);
  }
}

/** Asks. An answer that is no JSON, or none, is `Refused`, too. */
export async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      signal: signal ?? AbortSignal.timeout(15_000),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "");
  }
  const said = await answer.json().catch(() => undefined);
  if (!answer.ok || said === undefined) {
    const needs = ["code", "link", "password", "provider"].find((one) => said?.[`${one}_needed`]);
    throw new Refused(answer.status, said?.detail ?? "", needs, said?.field ?? "");
  }
  return said as T;
}

/** A number that may come as a text, beyond 2^53. */
const count = (value: unknown) => Number(value ?? 0);

function countsOf(object: Record<string, unknown>): Counts {
  const numbers = Object.entries(object).filter(([, value]) => typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value)));
  return Object.fromEntries(numbers.map(([name, value]) => [name, count(value)]));
}

type Said = Record<string, any>;

export function rows(all: Said[] | undefined, key: string): Row[] {
  return (all ?? []).map((one) => {
    const row: Row = { name: String(one[key] ?? ""), counts: countsOf({ ...one, [key]: undefined }) };
    if (one.amounts) row.amounts = one.amounts;
    if (one.amounts?.revenue?.length) row.revenue = one.amounts.revenue;
    if (one.amounts?.searches_without_results) row.empty = count(one.amounts.searches_without_results);
    if (Number(one.amounts?.summed_events)) row.sum = one.amounts.sum;
    if (one.before) row.before = countsOf(one.before);
    return row;
  });
}

const application = (said: Said): Application => ({ id: said.id, name: said.name, zone: said.time_zone, domains: said.domains, role: said.role, properties: said.properties ?? [] });

/** Conditions on what single events say, and what may consist of them. */
const OF_EVENTS = /^(event|goal|segment|property:|product|search|outbound|download|click|currency)/;

/**
 * Takes out the counts that mean nothing under the filters: events that are no page views have no page views, all of their visits are
 * more than one page view alone, and nobody read the pages that they happened on. What is not there is shown as `–`. (docs/STATISTICS.md,
 * "Questions with filters") Which filters a share has is not told: there, events without any page view are enough.
 */
export function withMeaning(said: Said, filters: string[], isShared = false): Said {
  const mayLack = filters.some((one) => OF_EVENTS.test(one)) || (isShared && count(said.total?.events) > 0);
  said.hasNoViews = !count(said.total?.page_views) && !count(said.total_before?.page_views) && mayLack;
  if (!said.hasNoViews) return said;
  const pages: Said[] = said.dimension === "page" ? (said.values ?? []) : (said.lists?.page?.values ?? []);
  const others = Object.values<Said>(said.lists ?? {}).flatMap((list) => list.values);
  const all = [said.total, said.total_before, ...(said.series ?? []), ...(said.series_before ?? []), ...(said.values ?? []), ...others].filter(Boolean);
  for (const one of all.flatMap((one) => [one, one.before ?? {}])) for (const name of ["page_views", "bounces"]) delete one[name];
  for (const one of pages.flatMap((one) => [one, one.before ?? {}])) for (const name of ["visitors", "sessions"]) delete one[name];
  return said;
}

/** A question of the statistics page. */
export interface Question {
  view: View;
  zone: string | undefined;
  dimensions: string[];
  limit: number;
  interval: string;
  /** Sums what events say, too. */
  amounts?: boolean;
}

const known = new Map<string, string[]>();
/** The properties that an application has chosen, as far as an answer said so. */
export const propertiesOf = (app: string): string[] => known.get(app) ?? [];

export async function dashboard(question: Question, signal?: AbortSignal): Promise<Answer> {
  const { view } = question;
  const body: Said = { application_id: view.app, period: asked(view.period, question.zone), filters: view.filters.map(write), compare: earlierOf(view), dimensions: question.dimensions, limit: question.limit };
  if (view.traffic !== "human") body.class = view.traffic;
  if (question.interval) body.interval = question.interval;
  if (question.amounts) body.amounts = true;
  const said = withMeaning(await ask<Said>("POST", `/api/v1/dashboard${view.share ? `?share=${encodeURIComponent(view.share)}` : ""}`, body, signal), body.filters, view.share !== "");
  const compared = said.compared_with;
  known.set(view.app, said.application.properties ?? []);
  return {
    app: application(said.application),
    from: said.period.from,
    until: said.period.until,
    isOver: said.period.is_over,
    total: countsOf(said.total),
    points: rows(said.series, "at"),
    ...(compared && {
      before: { from: compared.from, until: compared.until, time: compared.until_time ?? undefined, total: countsOf(said.total_before), points: rows(said.series_before, "at") },
    }),
    lists: Object.fromEntries(Object.entries<Said>(said.lists ?? {}).map(([name, list]) => [name, { rows: rows(list.values, "value"), isCut: list.is_cut, notes: list.notes ?? [] }])),
    current: said.current_visitors === null ? undefined : count(said.current_visitors),
    leftOut: (said.left_out ?? []).map((one: Said) => ({ name: one.class, events: count(one.events) })),
    asOf: said.as_of ?? undefined,
    isComplete: said.is_complete,
    daysBeingComputed: count(said.days_being_computed),
    notes: said.notes ?? [],
    happened: said.annotations ?? [],
    hasNoViews: said.hasNoViews,
  };
}

/** A question that is kept under a name, and how it is drawn. */
export interface KeptPanel {
  id: number;
  name: string;
  drawing: "number" | "line" | "bars" | "table";
  metrics: string[];
  dimension: string | null;
  interval: string | null;
  filters: string[];
  sum: string | null;
  limit: number;
  visibility: string;
  place: number;
}

/** Who sees a segment or a panel. */
export const VISIBILITIES = ["personal", "shared", "public"] as const;

/** Filters under a name. */
export interface Segment {
  id: number;
  name: string;
  filters: string[];
  visibility: string;
}

export async function segments(view: View): Promise<Segment[]> {
  const share = view.share ? `&share=${encodeURIComponent(view.share)}` : "";
  return (await ask<Said>("GET", `/api/v1/segments?limit=200&application_id=${encodeURIComponent(view.app)}${share}`)).segments;
}

/** The property whose values are seen, as a dimension; `undefined`: none is known. */
export function propertySeen(view: View): string | undefined {
  const all = propertiesOf(view.app).map((name) => PROPERTY + name);
  return all.find((one) => view.lists.includes(one)) ?? all[0];
}

export async function applications(): Promise<Application[]> {
  return (await ask<Said>("GET", "/api/v1/applications")).applications.map(application);
}

/** The line to paste into pages, while no event has come; and whether there are requests of a log, and no page view. */
export async function waitsWith(app: string): Promise<{ snippet: string | undefined; hasRequests: boolean }> {
  const said = await ask<Said>("GET", `/api/v1/applications/${encodeURIComponent(app)}`);
  return { snippet: said.is_waiting ? (said.snippet ?? "") : undefined, hasRequests: !!said.has_requests_alone };
}

/** Current visitors, and events of the last minutes. */
export async function live(view: View): Promise<{ visitors: number; events: number }> {
  const share = view.share ? `&share=${encodeURIComponent(view.share)}` : "";
  const said = await ask<Said>("GET", `/api/v1/live?application_id=${encodeURIComponent(view.app)}${share}`);
  return { visitors: count(said.visitors), events: count(said.events) };
}

/** Events since a time, the newest first. */
export async function events(app: string, from: string): Promise<Said[]> {
  const query = new URLSearchParams({ application_id: app, from, limit: "200" });
  return (await ask<Said>("GET", `/api/v1/events?${query}`)).events;
}

/** What a metric is of counts; `undefined`: nothing to divide by. */
export function value(metric: Metric, counts: Counts): number | undefined {
  const per = (name: string, of: string) => (counts[of] && name in counts ? counts[name]! / counts[of]! : undefined);
  // With a filter on pages, only sessions that entered there have a bounce or a duration.
  switch (metric) {
    case "views_per_visit":
      return per("page_views", "sessions");
    case "bounce_rate":
      return per("bounces", "entered");
    case "duration":
      return per("duration_ms", "entered");
    default:
      return counts[metric];
  }
}
