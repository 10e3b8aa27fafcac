// What is read from rows: single visits with their events, and a search with its histogram and what arrives.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Refused } from "./api";
import { asked, plus, today, shownAt } from "./days";
import { Modal } from "./dialog";
import { Frame, askOf, useApp, useLoad } from "./frame";
import { Notice, Said } from "./states";
import { useEvery, useStage } from "./use";
import { CLASSES, PAGES, type View, toPage, write } from "./view";
import { type Key, clock, dateTime, money, nameOf, number, say, time } from "./words";

interface Visit {
  visitor_id: string;
  began_at: string;
  last_event_at: string;
  duration_ms: number;
  page_views: number;
  events: number;
  entry_page: string | null;
  exit_page: string | null;
  source: string;
  channel: string;
  country: string;
  browser: string;
  os: string;
  device: string;
  is_authenticated: boolean;
  is_whole: boolean;
}

interface Visits {
  visits: Visit[];
  is_complete: boolean;
  searched_back_to: string;
  next: string | null;
}

type Event = Record<string, any>;
interface Events {
  events: Event[];
  is_complete: boolean;
  searched_back_to: string;
  next: string | null;
}

/** So many answers that found nothing are gone through by themselves. */
const TRIES = 8;

export function VisitsPage() {
  const { view, go } = useStage();
  const app = useApp();
  const query: [string, string][] = [["period", asked(view.period, app.zone || undefined)], ["limit", "50"], ...view.filters.map((one): [string, string] => ["filter", write(one)])];
  const key = app.zone ? JSON.stringify([view.app, query]) : "";
  const [more, setMore] = useState<{ key: string; pages: Visits[]; isAsked: boolean; failed?: string }>({ key: "", pages: [], isAsked: false });
  // A rare visit may be far back: an answer without any goes on by itself, for a while.
  const page = async (cursor: string | null, signal?: AbortSignal) => {
    let answer: Visits | undefined;
    for (let n = 0; n < TRIES; n += 1) {
      const from: [string, string][] = cursor ? [["cursor", cursor]] : [];
      answer = await askOf<Visits>(view, "/api/v1/visits", [...query, ...from], signal);
      if (answer.visits.length || !answer.next) break;
      cursor = answer.next;
    }
    return answer!;
  };
  const loaded = useLoad<Visits>(key, (signal) => page(null, signal));
  const pages = loaded.value && !loaded.isOld ? [loaded.value, ...(more.key === key ? more.pages : [])] : loaded.value ? [loaded.value] : [];
  const last = pages.at(-1);
  const goOn = () => {
    setMore((now) => ({ key, pages: now.key === key ? now.pages : [], isAsked: true }));
    page(last!.next).then(
      (answer) => setMore((now) => (now.key === key ? { key, pages: [...now.pages, answer], isAsked: false } : now)),
      (error: Refused) => setMore((now) => ({ ...now, isAsked: false, failed: error.message || say("offline") })),
    );
  };
  const all = pages.flatMap((one) => one.visits);
  const open = view.args.visit?.[0];
  return (
    <Frame app={app} title={say("to_visits")} has={["period", "filter"]} loaded={loaded.error?.status === 403 ? undefined : loaded}>
      {loaded.error?.status === 403 ? (
        <NotMine />
      ) : !loaded.value ? (
        <section class="card panel rows" aria-busy="true">
          <Waits />
        </section>
      ) : (
        <section class={loaded.isOld ? "card panel rows old" : "card panel rows"} aria-busy={loaded.isOld} aria-label={say("to_visits")}>
          <header>
            <h2>{say("visits_title")}</h2>
            <p class="note">{say("visits_about")}</p>
          </header>
          {all.length === 0 ? (
            <p class="nothing">{say(view.filters.length ? "nothing_filtered" : "nothing")}</p>
          ) : (
            <ol class="visits">
              {all.map((one) => (
                <VisitRow key={`${one.visitor_id} ${one.began_at}`} visit={one} zone={app.zone} />
              ))}
            </ol>
          )}
          <footer>
            <span class="note" role="status">
              {last?.is_complete ? say("all_read", number(all.length)) : say("read_back_to", number(all.length), dateTime(last!.searched_back_to, app.zone))}
            </span>
            {last?.next && (
              <button type="button" class="pill lined" disabled={more.isAsked} onClick={goOn}>
                {say(more.isAsked ? "loading" : "earlier")}
              </button>
            )}
            {more.failed && <span class="warn">{more.failed}</span>}
          </footer>
        </section>
      )}
      {open && app.zone && <VisitDialog id={open} visit={all.find((one) => idOf(one) === open)} zone={app.zone} close={() => go({ ...view, args: {} })} />}
    </Frame>
  );
}

/** Rows are for editors. */
const NotMine = () => (
  <Notice picture="lock" title={say("forbidden")}>
    <Said text={say("rows_editor")} />
  </Notice>
);

const Waits = () => (
  <div class="waits" aria-hidden="true">
    {[92, 80, 88, 74, 84, 70].map((width) => (
      <i key={width} class="wait" style={{ width: `${width}%` }} />
    ))}
  </div>
);

const idOf = (one: Visit) => `${one.visitor_id}.${one.began_at}.${one.last_event_at}`;

function VisitRow({ visit, zone }: { visit: Visit; zone: string }) {
  const { view, go } = useStage();
  const who = [visit.browser, visit.os].filter(Boolean).join(" · ");
  return (
    <li data-visit={visit.visitor_id}>
      <button type="button" onClick={() => go({ ...view, args: { visit: [idOf(visit)] } })}>
        <time dateTime={visit.began_at}>{dateTime(visit.began_at, zone)}</time>
        <span class="from">
          <b>{nameOf("source", visit.source)}</b>
          <span class="note">{[visit.country && nameOf("country", visit.country), who].filter(Boolean).join(" · ")}</span>
        </span>
        <span class="way-of">
          <span title={visit.entry_page ?? ""}>{visit.entry_page ?? say("no_page")}</span>
          {visit.page_views > 1 && (
            <>
              {" → "}
              <span title={visit.exit_page ?? ""}>{visit.exit_page}</span>
            </>
          )}
        </span>
        <span class="n">{say("n_views", visit.page_views)}</span>
        <span class="n">{visit.is_whole ? time(visit.duration_ms) : `≥ ${time(visit.duration_ms)}`}</span>
      </button>
    </li>
  );
}

/** What an event says, apart from its page: what was searched for, clicked or bought, and for how much. */
function saidBy({ event_type, entity_id, params }: Event): string {
  const { custom = {}, search_term, result_count, text, element } = params ?? {};
  const { total, value, currency, ...others } = custom as Record<string, unknown>;
  const amount = total ?? value;
  const worth = amount !== undefined && (typeof currency === "string" ? money([{ currency, amount: String(amount) }]) : String(amount));
  const more = Object.entries(others).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  const clicked = event_type === "pageview" ? undefined : text ?? element;
  return [search_term, result_count !== undefined && `(${result_count})`, entity_id, clicked, worth, ...more].filter((one) => one !== undefined && one !== false && one !== "").join(" · ");
}

/** How long each page was read for, by the number of its view. */
function readTimes(events: Event[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { page_view_id, dwell_ms } of events) if (page_view_id && dwell_ms) times.set(page_view_id, Math.max(times.get(page_view_id) ?? 0, dwell_ms));
  return times;
}

/** The events of a visit, in their order. `visit`: what the list says of it, if it is there. */
function VisitDialog({ id, visit, zone, close }: { id: string; visit: Visit | undefined; zone: string; close: () => void }) {
  const { view, go } = useStage();
  // VISITOR.FROM.UNTIL, in which times may have a dot themselves.
  const [, visitor = "", from = "", until = ""] = /^(-?\d+)\.(.+Z)\.(.+Z)$/.exec(id) ?? [];
  const query: [string, string][] = [["visitor_id", visitor], ["from", from], ["until", until], ["limit", "200"]];
  const loaded = useLoad<Events>(visitor ? `visit ${id}` : "", (signal) => askOf(view, "/api/v1/events", query, signal));
  const whole = [...(loaded.value?.events ?? [])].reverse();
  const read = readTimes(whole);
  // That a page was read is said at the page.
  const events = whole.filter((one) => one.event_type !== "engagement");
  const first = whole[0];
  const facts = visit
    ? [nameOf("source", visit.source), visit.country && nameOf("country", visit.country), visit.browser, visit.os, visit.device && nameOf("device", visit.device)]
    : [first?.browser, first?.os, first?.device && nameOf("device", first.device)];
  const user = whole.find((one) => one.user_id)?.user_id;
  return (
    <Modal title={say("visit_of", visitor ? dateTime(from, zone) : "–")} close={close} wide>
      {loaded.error && <p class="nothing">{loaded.error.message || say("offline")}</p>}
      {!visitor && <p class="nothing">{say("visit_unknown")}</p>}
      {!loaded.value && !loaded.error && visitor && <Waits />}
      {loaded.value && (
        <>
          <p class="note" data-facts>
            {facts.filter(Boolean).join(" · ")}
          </p>
          {loaded.value.next && <p class="note">{say("visit_cut", number(whole.length))}</p>}
          <ol class="steps" tabIndex={0} aria-label={say("events")}>
            {events.map((one, n) => {
              const before = events[n - 1];
              const isView = one.event_type === "pageview";
              const readFor = isView ? read.get(one.page_view_id) : undefined;
              const gap = before ? new Date(one.occurred_at).getTime() - new Date(before.occurred_at).getTime() : 0;
              return (
                <li key={one.event_id} data-event={one.event_id}>
                  <time>{clock(one.occurred_at, zone, true)}</time>
                  <b class={isView ? "kind" : "kind other"}>{nameOf("event", one.event_type)}</b>
                  <span class="path" title={one.title ?? ""}>
                    {(!isView && saidBy(one)) || (one.url_path ?? "")}
                    {readFor ? <span class="note read">{say("read_for", time(readFor))}</span> : null}
                  </span>
                  <span class="note">{n ? `+${time(gap)}` : ""}</span>
                </li>
              );
            })}
          </ol>
          <p class="bar-line">
            <button type="button" class="quiet" onClick={() => go(toPage(view, "search", { visitor_id: [visitor] }))}>
              {say("all_of_visitor")}
            </button>
            {user && (
              <button type="button" class="quiet" onClick={() => go(toPage(view, "search", { user_id: [user] }))}>
                {say("all_of_user_id")}
              </button>
            )}
          </p>
        </>
      )}
    </Modal>
  );
}

/** Lengths of the times of the histogram, seconds. */
const WIDTHS = [60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400];
const BARS = 90;
/** How far ahead of this clock the server's may be, milliseconds. */
const AHEAD = 3_600_000;
/** How often the newest events are looked for. */
const TAIL = 3;

/** From the beginning of the first day to now, or the end of the last. */
function limits(view: View, zone: string): { from: string; until: string; seconds: number } {
  const period = asked(view.period, zone);
  const now = today(zone);
  const days = /^(\d+)d$/.exec(period);
  const range = period.split("..");
  const first = days ? plus(now, 1 - Number(days[1])) : period === "month" ? `${now.slice(0, 8)}01` : range[1] ? range[0]! : now;
  const last = range[1] ?? now;
  const from = midnight(first, zone);
  const end = midnight(plus(last, 1), zone);
  const span = (Math.min(end.getTime(), Date.now()) - from.getTime()) / 1000;
  const seconds = WIDTHS.find((width) => span / width <= BARS) ?? 86_400;
  return { from: from.toISOString(), until: new Date(end.getTime() - 1).toISOString(), seconds };
}

/** When a day begins in a zone. */
function midnight(day: string, zone: string): Date {
  const guess = new Date(`${day}T00:00:00Z`);
  let at = guess;
  for (let n = 0; n < 2; n += 1) at = new Date(guess.getTime() - (shownAt(at, zone).getTime() - at.getTime()));
  return at;
}

interface Counts {
  times: { at: string; events: number }[];
  is_complete: boolean;
  searched_back_to: string;
  next: string | null;
}

export function SearchPage() {
  const { view, go } = useStage();
  const app = useApp();
  const [isLive, setLive] = useState(false);
  const zone = app.zone;
  const span = zone ? limits(view, zone) : undefined;
  const wanted = Object.entries(view.args).map(([name, all]): [string, string] => [name, all[0] ?? ""]);
  const key = span ? JSON.stringify([view.app, view.period, wanted, span.from]) : "";
  const query: [string, string][] = span ? [...wanted, ["from", span.from], ["until", span.until]] : [];
  const page = async (cursor: string | null, signal?: AbortSignal) => {
    let answer: Events | undefined;
    for (let n = 0; n < TRIES; n += 1) {
      const at: [string, string][] = cursor ? [["cursor", cursor]] : [];
      answer = await askOf<Events>(view, "/api/v1/events", [...query, ["limit", "100"], ...at], signal);
      if (answer.events.length || !answer.next) break;
      cursor = answer.next;
    }
    return answer!;
  };
  const loaded = useLoad<Events>(key, (signal) => page(null, signal), isLive ? TAIL : 0);
  const [more, setMore] = useState<{ key: string; pages: Events[]; isAsked: boolean; failed?: string }>({ key: "", pages: [], isAsked: false });
  const pages = loaded.value ? [loaded.value, ...(more.key === key && !isLive ? more.pages : [])] : [];
  const last = pages.at(-1);
  const all = pages.flatMap((one) => one.events);
  const goOn = () => {
    setMore((now) => ({ key, pages: now.key === key ? now.pages : [], isAsked: true }));
    page(last!.next).then(
      (answer) => setMore((now) => (now.key === key ? { key, pages: [...now.pages, answer], isAsked: false } : now)),
      (error: Refused) => setMore((now) => ({ ...now, isAsked: false, failed: error.message || say("offline") })),
    );
  };
  const isMine = loaded.error?.status !== 403;
  const tail = (
    <button type="button" class="pill" aria-pressed={isLive} onClick={() => setLive(!isLive)}>
      {say("tail")}
    </button>
  );
  return (
    <Frame app={app} title={say("to_search")} has={["period"]} bar={isMine && tail} loaded={isMine && loaded.error?.status !== 400 ? loaded : undefined}>
      {!isMine ? (
        <NotMine />
      ) : (
        <>
          <SearchForm key={JSON.stringify(wanted)} go={(args) => go({ ...view, args })} args={view.args} />
          {!span && <section class="card histogram" aria-hidden="true" />}
          {span && loaded.error?.status !== 400 && <Histogram id={key} query={query} seconds={span.seconds} span={span} zone={zone} every={isLive ? TAIL * 5 : 0} />}
          <section class={loaded.isOld ? "card panel rows old" : "card panel rows"} aria-busy={loaded.isOld || (!loaded.value && !loaded.error)} aria-label={say("events")}>
            {loaded.error?.status === 400 ? (
              <p class="nothing" role="alert">
                {loaded.error.message}
              </p>
            ) : !loaded.value ? (
              <Waits />
            ) : all.length === 0 ? (
              <p class="nothing">{say(wanted.length ? "search_none" : "nothing")}</p>
            ) : (
              <ol class="found" aria-live={isLive ? "polite" : undefined}>
                {all.map((one) => (
                  <Found key={one.event_id} event={one} zone={zone} />
                ))}
              </ol>
            )}
            {last && loaded.error?.status !== 400 && (
              <footer>
                <span class="note" role="status">
                  {last.is_complete ? say("all_read", number(all.length)) : say("read_back_to", number(all.length), dateTime(last.searched_back_to, zone))}
                </span>
                {last.next && !isLive && (
                  <button type="button" class="pill lined" disabled={more.isAsked} onClick={goOn}>
                    {say(more.isAsked ? "loading" : "earlier")}
                  </button>
                )}
                {more.failed && <span class="warn">{more.failed}</span>}
              </footer>
            )}
          </section>
        </>
      )}
    </Frame>
  );
}

/** Fields of the form; the others of the address are shown as chips. */
const FIELDS = ["text", "path", "type", "status", "class"] as const;

function SearchForm({ args, go }: { args: View["args"]; go: (args: View["args"]) => void }) {
  const [fields, setFields] = useState<Record<string, string>>(() => Object.fromEntries(FIELDS.map((name) => [name, args[name]?.[0] ?? ""])));
  const others = PAGES.search.filter((name) => !(FIELDS as readonly string[]).includes(name) && args[name]?.length);
  const submit = (event: globalThis.Event | undefined, now = fields) => {
    event?.preventDefault();
    const kept = Object.fromEntries(others.map((name) => [name, args[name]!]));
    const set = Object.entries(now).filter(([, value]) => value.trim()).map(([name, value]) => [name, [value.trim()]]);
    go({ ...kept, ...Object.fromEntries(set) });
  };
  const field = (name: string) => ({ name, value: fields[name], maxLength: 500, autocomplete: "off", onInput: (event: { currentTarget: HTMLInputElement }) => setFields({ ...fields, [name]: event.currentTarget.value }) });
  return (
    <form class="search" role="search" onSubmit={submit}>
      <input type="search" class="find" aria-label={say("search_text")} placeholder={say("search_text")} {...field("text")} />
      <input class="find" aria-label={say("path_begins")} placeholder={say("path_begins")} {...field("path")} />
      <input class="find small" aria-label={say("one_event")} placeholder={say("one_event")} {...field("type")} />
      <input class="find small" aria-label={say("status")} placeholder={`${say("status")}: 404, 5xx`} {...field("status")} />
      <select
        class="find small"
        aria-label={say("class")}
        value={fields.class}
        onChange={(event) => {
          const now = { ...fields, class: event.currentTarget.value };
          setFields(now);
          submit(undefined, now);
        }}
      >
        <option value="">{say("class_all")}</option>
        {CLASSES.map((one) => (
          <option key={one} value={one}>
            {nameOf("class", one)}
          </option>
        ))}
      </select>
      <button type="submit" class="main">
        {say("search")}
      </button>
      {others.length > 0 && (
        <ul class="chips">
          {others.map((name) => (
            <li class="chip" key={name}>
              <button type="button">
                <span>{say(`one_${name}` as Key)}</span> <b>{args[name]![0]}</b>
              </button>
              <button type="button" class="x" aria-label={say("remove", `${say(`one_${name}` as Key)} ${args[name]![0]}`)} onClick={() => go(Object.fromEntries(Object.entries(args).filter(([other]) => other !== name)))}>
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}

interface HistogramProps {
  id: string;
  query: [string, string][];
  seconds: number;
  span: { from: string; until: string };
  zone: string;
  every: number;
}

/** How many there are by time. What was not counted yet is hatched, and said. */
function Histogram({ id, query, seconds, span, zone, every }: HistogramProps) {
  const { view } = useStage();
  const [counts, setCounts] = useState<{ id: string; times: Map<number, number>; backTo: number; next: string | null }>();
  const [isAsked, setAsked] = useState(false);
  const [failed, setFailed] = useState("");
  const run = useRef(0);
  const count = async (from: string | null, before: Map<number, number>) => {
    const mine = ++run.current;
    setAsked(true);
    setFailed("");
    try {
      const times = new Map(before);
      // Of a day that has just begun, the rest of it would be more times than there may be.
      const until = new Date(Math.min(new Date(span.until).getTime(), Date.now() + AHEAD)).toISOString();
      const wanted: [string, string][] = [...query.filter(([name]) => name !== "until"), ["until", until], ["seconds", String(seconds)]];
      let next = from;
      for (let n = 0; n < TRIES; n += 1) {
        const answer: Counts = await askOf(view, "/api/v1/events/counts", [...wanted, ...(next ? [["cursor", next] as [string, string]] : [])]);
        if (mine !== run.current) return;
        for (const one of answer.times) times.set(new Date(one.at).getTime(), (times.get(new Date(one.at).getTime()) ?? 0) + one.events);
        next = answer.next;
        setCounts({ id, times: new Map(times), backTo: new Date(answer.searched_back_to).getTime(), next });
        if (!next) break;
      }
    } catch (error) {
      if (mine === run.current) setFailed((error as Refused).message || say("offline"));
    }
    if (mine === run.current) setAsked(false);
  };
  useEffect(() => {
    void count(null, new Map());
    return () => void (run.current += 1);
  }, [id]);
  useEvery(every, () => void count(null, new Map()));
  const step = seconds * 1000;
  const first = Math.floor(new Date(span.from).getTime() / step) * step;
  const end = Math.min(new Date(span.until).getTime(), Date.now());
  const bars = Array.from({ length: Math.max(1, Math.ceil((end - first) / step)) }, (_, n) => first + n * step);
  const mine = counts?.id === id ? counts : undefined;
  const most = Math.max(1, ...bars.map((at) => mine?.times.get(at) ?? 0));
  const total = [...(mine?.times.values() ?? [])].reduce((sum, n) => sum + n, 0);
  const name = (at: number) => dateTime(new Date(at).toISOString(), zone);
  return (
    <section class="card histogram" aria-label={say("by_time")}>
      <p class="under-title">
        <b data-total={mine && !isAsked ? total : undefined}>{mine ? say("n_events", total) : failed ? "" : say("loading")}</b>
        {mine?.next && <span class="note">{say("counted_back_to", dateTime(new Date(mine.backTo).toISOString(), zone))}</span>}
        {mine?.next && !isAsked && (
          <button type="button" class="quiet" onClick={() => void count(mine.next, mine.times)}>
            {say("count_on")}
          </button>
        )}
        {failed && <span class="warn">{failed}</span>}
      </p>
      <svg viewBox={`0 0 ${bars.length} 100`} preserveAspectRatio="none" role="img" aria-label={mine ? say("n_events", total) : say("loading")}>
        {bars.map((at, n) => {
          const here = mine?.times.get(at) ?? 0;
          const isOpen = !mine || (mine.next && at < mine.backTo);
          const size = here ? Math.max(3, (here / most) * 100) : 2;
          return (
            <rect key={at} class={isOpen && !here ? "column open" : here ? "column" : "column none"} x={n + 0.1} width="0.8" y={100 - size} height={size}>
              <title>{`${name(at)}: ${number(here)}`}</title>
            </rect>
          );
        })}
      </svg>
      <p class="ends note" aria-hidden="true">
        <span>{name(first)}</span>
        <span>{name(bars.at(-1)!)}</span>
      </p>
    </section>
  );
}

function Found({ event, zone }: { event: Event; zone: string }) {
  const { view, go } = useStage();
  const [isOpen, setOpen] = useState(false);
  const link = (name: "visitor_id" | "trace_id" | "user_id" | "session_id") =>
    event[name] && (
      <button key={name} type="button" class="quiet" onClick={() => go({ ...view, args: { [name]: [String(event[name])] } })}>
        {say(`all_of_${name}` as Key)}
      </button>
    );
  return (
    <li data-event={event.event_id}>
      <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <time>{dateTime(event.occurred_at, zone, true)}</time>
        <b class={event.traffic_class === "human" ? "kind" : "kind other"}>{event.traffic_class === "human" ? nameOf("event", event.event_type) : nameOf("class", event.traffic_class)}</b>
        {event.status ? <span class={event.status >= 400 ? "status bad" : "status"}>{event.status}</span> : <span class="status" />}
        <span class="path">{event.url_path ?? ""}{event.url_query ? `?${event.url_query}` : ""}</span>
        <span class="who">{[event.browser, event.os].filter(Boolean).join(" · ")}</span>
      </button>
      {isOpen && (
        <div class="details">
          <dl>
            {Object.entries(event).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
              </div>
            ))}
          </dl>
          <p class="bar-line">{(["visitor_id", "trace_id", "user_id", "session_id"] as const).map(link)}</p>
        </div>
      )}
    </li>
  );
}

