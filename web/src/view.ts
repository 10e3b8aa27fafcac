// What is looked at. All of it stands in the address, so that back, bookmarks and links work.

/** A condition. It is spelt as `alt stats --filter` spells it. */
export interface Filter {
  dimension: string;
  operator: Operator;
  value: string;
}

export const OPERATORS = ["is", "is not", "contains", "does not contain", "matches", "does not match"] as const;
export type Operator = (typeof OPERATORS)[number];

export const METRICS = ["visitors", "sessions", "page_views", "views_per_visit", "bounce_rate", "duration"] as const;
export type Metric = (typeof METRICS)[number];

/** What a period is compared with: as many days before, the same days of the week, the same of the year. */
export const EARLIER = ["previous", "week", "year"] as const;
export type Earlier = (typeof EARLIER)[number];

export const PERIODS = ["today", "yesterday", "week", "last_week", "7d", "30d", "91d", "month", "last_month", "year", "12months"] as const;

export const PANELS = {
  sources: ["source", "channel", "campaign", "utm_medium", "utm_term", "utm_content"],
  pages: ["page", "entry_page", "exit_page"],
  places: ["country", "language"],
  devices: ["browser", "os", "device", "screen"],
  events: ["event", "goal", "product", "search", "outbound", "download", "click"],
  hours: ["hour"],
} as const;

/** What the names of properties begin with as dimensions. */
export const PROPERTY = "property:";

/** Classes of traffic, as the server names them. */
export const CLASSES = ["human", "ai_bot", "bot", "monitor", "headless", "suspect", "server", "excluded"] as const;
export type Class = (typeof CLASSES)[number];

/** Pages of an application, and what else stands in the address of each. */
export const PAGES = {
  statistics: [],
  live: [],
  funnel: ["step", "within", "strict"],
  journey: ["of"],
  retention: ["by"],
  panels: [],
  visits: ["visit"],
  search: ["text", "type", "path", "status", "class", "trace_id", "user_id", "session_id", "visitor_id"],
  alerts: ["show", "alert", "rule", "state"],
  settings: [],
} as const;
type AppPage = keyof typeof PAGES;
/** Those that a share has. */
export const SHARED: readonly string[] = ["statistics", "funnel", "journey", "retention", "panels"];
/** Those that filters are for. */
const FILTERED: readonly string[] = ["statistics", "funnel", "journey", "retention", "visits"];

export interface View {
  page: "all" | "system" | "sign-in" | "open" | AppPage;
  /** By the names of {@link PAGES}. */
  args: Record<string, string[]>;
  /** Shown on a wall: large, and without anything to press. */
  wall: boolean;
  app: string;
  /** The secret of a share; it stays in the address, because it is all that the reader has. */
  share: string;
  period: string;
  filters: Filter[];
  /** The class of traffic that is counted. */
  traffic: Class;
  compare: boolean;
  /** What is compared with; `""`: what fits the period. */
  earlier: "" | Earlier;
  /** `""`: what fits the period. */
  interval: "" | "hour" | "day" | "month";
  metric: Metric;
  /** Chosen lists that are not the first of their panel. */
  lists: string[];
  /** The property that is summed by the values of another. */
  sum: string;
  table: boolean;
}

export const write = (filter: Filter) => `${filter.dimension} ${filter.operator} ${filter.value}`;

export function readFilter(text: string): Filter | undefined {
  // The name of a property may have spaces: the first operator counts, as on the server.
  const found = OPERATORS.map((operator) => ({ operator, at: `${text} `.indexOf(` ${operator} `) })).filter(({ at }) => at > 0);
  const [first] = found.sort((a, b) => a.at - b.at || b.operator.length - a.operator.length);
  return first && { dimension: text.slice(0, first.at), operator: first.operator, value: text.slice(first.at + first.operator.length + 2) };
}

/** A week that goes on is compared with the same days of the one before. */
export const earlierOf = (view: View): Earlier => view.earlier || (view.period === "week" ? "week" : "previous");

/** The same condition, the other way round. */
export function negated(filter: Filter): Filter {
  const at = OPERATORS.indexOf(filter.operator);
  return { ...filter, operator: OPERATORS[at % 2 ? at - 1 : at + 1]! };
}

export function read(location: { pathname: string; search: string }): View {
  const query = new URLSearchParams(location.search);
  const parts = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const of = <T extends string>(name: string, known: readonly T[], usual: T): T =>
    known.find((one) => one === query.get(name)) ?? usual;
  const period = query.get("period") ?? "";
  const isPeriod = (PERIODS as readonly string[]).includes(period) || /^\d+d$|^\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d$/.test(period);
  const named = parts[0] === "share" ? query.get("page") : parts[0] === "applications" ? parts[2] : undefined;
  const isOf = (name: string): name is AppPage => name in PAGES && (parts[0] !== "share" || SHARED.includes(name));
  const page = parts[0] === "alerts" ? "open" : parts[0] === "sign-in" || parts[0] === "system" ? parts[0] : !["share", "applications"].includes(parts[0] ?? "") ? "all" : isOf(named ?? "") ? (named as AppPage) : "statistics";
  const args = page in PAGES ? (PAGES[page as AppPage] as readonly string[]) : [];
  return {
    page,
    args: page === "open" && parts[1] ? { alert: [parts[1]] } : Object.fromEntries(args.map((name) => [name, query.getAll(name)]).filter(([, all]) => all!.length)),
    wall: query.has("wall"),
    app: parts[0] === "applications" ? (parts[1] ?? "") : (query.get("application_id") ?? ""),
    share: parts[0] === "share" ? (query.get("share") ?? "") : "",
    period: isPeriod ? period : "30d",
    filters: query.getAll("filter").map(readFilter).filter((one) => one !== undefined),
    traffic: page === "statistics" ? of("class", CLASSES, "human") : "human",
    compare: query.get("compare") === "previous",
    earlier: of("earlier", ["", ...EARLIER], ""),
    interval: of("interval", ["", "hour", "day", "month"], ""),
    metric: of("metric", METRICS, "visitors"),
    lists: (query.get("lists") ?? "").split(",").filter(Boolean).map((one) => one.replace(/%2C|%25/g, decodeURIComponent)),
    sum: query.get("sum") ?? "",
    table: query.has("table"),
  };
}

export function address(view: View): string {
  const query = new URLSearchParams();
  const isOfApp = view.page in PAGES;
  const sub = view.page === "statistics" ? "" : view.page === "open" ? `/alerts${view.args.alert?.[0] ? `/${encodeURIComponent(view.args.alert[0])}` : ""}` : `/${view.page}`;
  const path = view.page === "all" ? "/" : !isOfApp ? sub : view.share ? "/share" : `/applications/${encodeURIComponent(view.app)}${sub}`;
  if (view.share && isOfApp) {
    query.set("application_id", view.app);
    query.set("share", view.share);
    if (sub) query.set("page", view.page);
  }
  if (view.page !== "sign-in") {
    if (view.period !== "30d") query.set("period", view.period);
    if (view.compare) query.set("compare", "previous");
  }
  if (FILTERED.includes(view.page)) {
    for (const filter of view.filters) query.append("filter", write(filter));
    for (const [name, all] of Object.entries(view.args)) for (const one of all) query.append(name, one);
    if (view.table) query.set("table", "1");
  } else if (view.page === "search" || view.page === "alerts") {
    for (const [name, all] of Object.entries(view.args)) for (const one of all) query.append(name, one);
  }
  if ((view.page === "alerts" || view.page === "open") && view.table) query.set("table", "1");
  if (view.page === "statistics") {
    if (view.traffic !== "human") query.set("class", view.traffic);
    if (view.earlier) query.set("earlier", view.earlier);
    if (view.interval) query.set("interval", view.interval);
    if (view.metric !== "visitors") query.set("metric", view.metric);
    if (view.lists.length) query.set("lists", view.lists.map((one) => one.replace(/[,%]/g, encodeURIComponent)).join(","));
    if (view.sum) query.set("sum", view.sum);
  }
  if (view.wall) query.set("wall", "1");
  const text = query.toString().replace(/%2F/g, "/").replace(/%2C/g, ",");
  return text ? `${path}?${text}` : path;
}

/** Another page of the same, without what only this one has. */
export const toPage = (view: View, page: View["page"], args: View["args"] = {}): View => ({ ...view, page, args, traffic: "human", table: false });

/** The lists that are seen: of each panel the chosen one. */
export const seen = (view: View): string[] =>
  Object.values(PANELS).map((all) => (all as readonly string[]).find((one) => view.lists.includes(one)) ?? all[0]);

/** With another list in its panel. */
export function withList(view: View, dimension: string): View {
  // That of properties is another one for each application.
  const panel = Object.values<readonly string[]>(PANELS).find((all) => all.includes(dimension));
  const others = view.lists.filter((one) => (panel ? !panel.includes(one) : !one.startsWith(PROPERTY)));
  return { ...view, lists: dimension === panel?.[0] ? others : [...others, dimension] };
}

const has = (view: View, filter: Filter) => view.filters.some((one) => write(one) === write(filter));

/** With the filter, or, if it is there, without it. */
export function toggled(view: View, filter: Filter): View {
  const filters = has(view, filter) ? view.filters.filter((one) => write(one) !== write(filter)) : [...view.filters, filter];
  return { ...view, filters };
}
