// The statistics of one application.
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, type Question, Refused, dashboard, propertySeen, waitsWith } from "./api";
import { Bar, Help, Link } from "./bar";
import { Chart, Happened, guess, intervalOf } from "./chart";
import { asked, between, endOfMonth, intervals, moved } from "./days";
import { Chips, FilterButton, FilterDialog } from "./filters";
import { ASKED, Keep, LOW, Panel, ToSettings } from "./panel";
import { Days, KEYS, Periods } from "./picker";
import { Empty, Failed, Notice } from "./states";
import { Tiles, Waiting } from "./tiles";
import { useEvery, useKeys, useStage } from "./use";
import { type Class, EARLIER, type Earlier, type Filter, METRICS, PANELS, PROPERTY, type View, address, earlierOf, seen, toPage, toggled, write } from "./view";
import { PROPERTY_WORDS, clock, has, language, learn, nameOf, number, range, say } from "./words";

/** So many seconds between two looks, where the period goes on. */
const LOOK = 15;

/** Zones by application, so that periods begin where the application's days do. */
const zones = new Map<string, string>();

/** What is asked, apart from its lists. */
const keyOf = (view: View) => JSON.stringify([view.app, view.share, view.traffic, view.period, earlierOf(view), view.filters.map(write), intervalOf(view)]);

function useAnswer(view: View) {
  const [state, setState] = useState<{ key: string; answer?: Answer; at?: Date; error?: Refused }>({ key: "" });
  const key = keyOf(view);
  const dimensions = [...seen(view), propertySeen(view) ?? []].flat();
  const latest = useRef<AbortController | undefined>(undefined);
  const question: Question = { view, zone: zones.get(view.app), dimensions, limit: ASKED, interval: intervalOf(view) };

  const load = (lists: string[]) => {
    latest.current?.abort();
    const control = new AbortController();
    latest.current = control;
    const timer = setTimeout(() => control.abort(new Refused(0, "")), 20_000);
    dashboard({ ...question, dimensions: lists, zone: zones.get(view.app) }, control.signal)
      .then((answer) => {
        const zone = zones.get(view.app);
        zones.set(view.app, answer.app.zone);
        // The first question was asked by the browser's clock.
        if (!zone && asked(view.period, undefined) !== asked(view.period, answer.app.zone)) return load(lists);
        setState((before) => ({
          key,
          at: new Date(),
          answer: before.key === key && before.answer ? { ...answer, lists: { ...before.answer.lists, ...answer.lists } } : answer,
        }));
      })
      .catch((error) => {
        if (control.signal.aborted && !(control.signal.reason instanceof Refused)) return;
        const refused = error instanceof Refused ? error : new Refused(0, "");
        if (refused.status === 401 && !view.share) return location.replace(`/sign-in?next=${encodeURIComponent(address(view))}`);
        setState((before) => ({ ...before, error: refused, ...(before.key !== key && refused.status !== 0 ? { answer: undefined } : {}), key: before.key }));
      })
      .finally(() => clearTimeout(timer));
  };

  useEffect(() => load(dimensions), [key]);
  useEffect(() => {
    if (state.key !== key || !state.answer) return;
    const missing = dimensions.filter((one) => !(one in state.answer!.lists));
    if (missing.length) load(missing);
  }, [key, state.key, dimensions.join()]);
  const isOpen = state.answer ? !state.answer.isOver : true;
  useEvery(isOpen && !state.error ? LOOK : state.error && state.answer ? 5 : 0, () => load(dimensions));
  return { ...state, isOld: state.key !== key, question, reload: () => load(dimensions) };
}

/** Whether the time before may be compared. It may not if it has no event, or if next to nothing, and that at its end: then the first hit came there. */
function isKnown({ total, before }: Answer): boolean {
  if (!before?.total.events) return !before;
  const { points } = before;
  return before.total.events * 20 > (total.events ?? 0) || points.slice(0, points.length / 2).some((one) => one.counts.events);
}

export function Statistics() {
  const { view, go } = useStage();
  const { answer: told, at, error, isOld, question, reload } = useAnswer(view);
  // With a time of which nothing, or only an end, is known, nothing is compared.
  const unknown = told && !isKnown(told) ? told.before : undefined;
  const answer = unknown ? { ...told!, before: undefined } : told;
  const [dialog, setDialog] = useState<"" | "filter" | "days" | "help">("");
  const zone = answer?.app.zone;
  const days = answer ? between(answer.from, answer.until) : guess(view.period);
  const possible = intervals(days);
  const interval = intervalOf(view);
  const name = answer?.app.name ?? view.app;
  useEffect(() => {
    document.title = answer ? `${answer.current ? `(${number(answer.current)}) ` : ""}${name} · alt` : "alt";
  }, [name, answer?.current]);

  const shift = (by: number) => {
    const to = answer && moved(answer.from, answer.until, by, zone);
    if (to) go({ ...view, period: to });
  };
  useKeys((key) => {
    const metric = METRICS[Number(key) - 1];
    if (KEYS[key]) go({ ...view, period: KEYS[key]!, interval: "" });
    else if (metric) go({ ...view, metric }, true);
    else if (key === "x") go({ ...view, compare: !view.compare });
    else if (key === "f" || key === "/") setTimeout(() => setDialog("filter"));
    else if (key === "c") setTimeout(() => setDialog("days"));
    else if (key === "?") setDialog("help");
    else if (key === "i") go({ ...view, interval: possible[(possible.indexOf(interval) + 1) % possible.length]! }, true);
    else if (key === "b") go({ ...view, table: !view.table }, true);
    else if (key === "r" && !view.share) go(toPage(view, "live"));
    else if (key === "a" && !view.share) go({ ...toPage(view, "all"), filters: [] });
    else if (key === "v") go({ ...view, wall: !view.wall });
    else if (key === "Escape" && view.wall) go({ ...view, wall: false });
    else if (key === "Escape" && view.filters.length) go({ ...view, filters: [] });
    else if (key === "ArrowLeft") shift(-1);
    else if (key === "ArrowRight") shift(1);
  });

  /** A point of the graph is a period of its own. */
  const open = (point: string) => {
    if (interval === "hour") {
      const day = point.slice(0, 10);
      const hour = answer!.points.filter((one) => one.name.startsWith(day)).findIndex((one) => one.name === point);
      const filter: Filter = { dimension: "hour", operator: "is", value: String(hour) };
      const others = view.filters.filter((one) => one.dimension !== "hour" || write(one) === write(filter));
      go(toggled({ ...view, period: `${day}..${day}`, interval: "", filters: others }, filter));
    }
    if (interval === "day") go({ ...view, period: `${point}..${point}`, interval: "" });
    if (interval === "month") go({ ...view, period: `${point.slice(0, 7)}-01..${endOfMonth(point)}`, interval: "" });
  };

  // The six numbers always have their change; the graph and the lists only if asked.
  const shown = answer && (view.compare ? answer : { ...answer, before: undefined });
  const isEmpty = answer && !isOld && !answer.total.events && !view.filters.length && answer.leftOut.length === 0;
  return (
    <>
      <Bar name={name} help={() => setDialog("help")}>
        {answer?.current !== undefined && !isOld && <Current count={answer.current} />}
        {view.share && <span class="note wide-only">{say("shared")}</span>}
        <span class="grow" />
        <FilterButton open={() => setDialog("filter")} />
        <button type="button" class="pill" aria-pressed={view.compare} onClick={() => go({ ...view, compare: !view.compare })} title={`${say("compare_about")} (X)`}>
          <Twins /> <span class="wide-only">{say("compare")}</span>
        </button>
        <Periods zone={zone} openCustom={() => setDialog("days")} />
      </Bar>
      <main id="numbers">
        <Chips />
        {error && !answer ? (
          <Failed error={error} retry={reload} />
        ) : isEmpty ? (
          <Nothing answer={answer} arrived={reload} />
        ) : (
          <div class={isOld && answer ? "old" : undefined} aria-busy={isOld}>
            {error && at && (
              <p class="warn" role="alert">
                {say("old", clock(at))}
                <button type="button" class="quiet" onClick={reload}>
                  {say("retry")}
                </button>
              </p>
            )}
            <section class="card top">
              <Tiles answer={answer} />
              <div class="under">
                <p class="note legend">
                  {answer && <span><i class="key" />{range(answer.from, answer.until)}</span>}
                  {answer?.before && <span><i class={view.compare ? "key past" : ""} />{say("compared_with", range(answer.before.from, answer.before.until))}{answer.before.time && `, ${say("up_to", clock(answer.before.time, zone))}`}</span>}
                  {answer && !view.wall && <Against />}
                  {unknown && <span>{say("no_before", range(unknown.from, unknown.until))}</span>}
                </p>
                <div class="switch" role="group" aria-label={say("interval")}>
                  {possible.length > 1 &&
                    possible.map((one) => (
                      <button key={one} type="button" aria-pressed={one === interval} onClick={() => go({ ...view, interval: one }, true)}>
                        {say(`by_${one}`)}
                      </button>
                    ))}
                  <button type="button" aria-pressed={view.table} onClick={() => go({ ...view, table: !view.table }, true)}>
                    {say("table")}
                  </button>
                  <Keep panel={{ drawing: "line", metrics: [view.metric], interval }} />
                </div>
              </div>
              {shown ? <Chart answer={shown} metric={view.metric} table={view.table} open={open} /> : <div class="graph" />}
              <Happened answer={answer} />
              <Notes answer={answer} />
            </section>
            <div class="grid">
              {(Object.keys(PANELS) as (keyof typeof PANELS)[]).map((one) => (
                <Fragment key={one}>
                  {one === "hours" && <Properties answer={shown} question={question} />}
                  <Panel name={one} answer={shown} question={question} />
                </Fragment>
              ))}
            </div>
            <p class="hint">{say("filter_hint")}</p>
          </div>
        )}
      </main>
      {dialog === "filter" && <FilterDialog question={question} close={() => setDialog("")} />}
      {dialog === "days" && <Days zone={zone} close={() => setDialog("")} />}
      {dialog === "help" && <Help close={() => setDialog("")} />}
    </>
  );
}

/** What the events say that are the application's own; what shows them is loaded where there is anything to show. */
function Properties({ answer, question }: { answer: Answer | undefined; question: Question }) {
  const [part, setPart] = useState<typeof import("./properties")>();
  const [failed, setFailed] = useState(false);
  const all = answer?.app.properties;
  useEffect(() => {
    if (all?.length && !part) void Promise.all([import("./properties"), learn(PROPERTY_WORDS[language]!)]).then(([loaded]) => setPart(() => loaded), () => setFailed(true));
  }, [!all?.length]);
  return (
    <section class="card panel low" aria-label={say("properties")} data-panel="properties">
      {part && all?.length ? (
        <part.Properties answer={answer!} question={question} />
      ) : (
        <>
          <header>
            <h2>{say("properties")}</h2>
          </header>
          <div class="body">
            {failed || all?.length === 0 ? (
              <p class="nothing">
                {say(failed ? "offline" : "no_properties")}
                {!failed && <ToSettings />}
              </p>
            ) : (
              <Waiting rows={LOW} />
            )}
          </div>
          <span class="all" />
        </>
      )}
    </section>
  );
}

/** What the numbers are compared with. */
function Against() {
  const { view, go } = useStage();
  return (
    <select class="against" name="earlier" aria-label={say("compare_about")} value={earlierOf(view)} onChange={(event) => go({ ...view, earlier: event.currentTarget.value as Earlier }, true)}>
      {EARLIER.map((one) => <option key={one} value={one}>{say(`with_${one}`)}</option>)}
    </select>
  );
}

/** Who is there now; leads to the live view. */
function Current({ count }: { count: number }) {
  const { view } = useStage();
  const inside = (
    <>
      <i />
      <span data-current={count}>{say("current", count)}</span>
    </>
  );
  const kind = count > 0 ? "current on" : "current";
  return view.share ? <span class={kind}>{inside}</span> : <Link to={{ ...view, page: "live" }} kind={kind}>{inside}</Link>;
}

/** What a reader has to know of the numbers: always in sight. */
function Notes({ answer }: { answer: Answer | undefined }) {
  const { view } = useStage();
  if (!answer) return <p class="notes"> </p>;
  const leftOut = answer.leftOut.reduce((sum, one) => sum + one.events, 0);
  return (
    <ul class="notes">
      <li data-left-out={leftOut}>
        {leftOut > 0 ? say("left_out", leftOut) : say("nothing_left_out")}
        {answer.leftOut.map(({ name, events }, n) => {
          const text = `${nameOf("class", name)} ${number(events)}`;
          return <Fragment key={name}>{n ? ", " : " "}{view.share || view.wall ? text : <Link to={{ ...view, traffic: name as Class }}>{text}</Link>}</Fragment>;
        })}
      </li>
      {answer.asOf && <li>{say("as_of", clock(answer.asOf, answer.app.zone))}</li>}
      {!answer.isComplete && <li class="part">{answer.daysBeingComputed > 0 ? say("computing_days", answer.daysBeingComputed) : say("computing")}</li>}
      {/* The panel of properties says of itself what is missing there. */}
      {answer.notes.filter((note) => note !== "property" || view.filters.some((one) => one.dimension.startsWith(PROPERTY))).map((note) => (
        <li key={note} class={note === "days_without_segments" || note === "property" || note === "imported_left_out" ? "part" : undefined}>
          {sayOf(note)}
        </li>
      ))}
      {answer.hasNoViews && <li data-no-views>{say("no_views")}</li>}
      {between(answer.from, answer.until) > 1 && view.metric === "visitors" && <li>{say("no_visit_id")}</li>}
    </ul>
  );
}

/** What a note of an answer says. */
function sayOf(note: string): string {
  const key = `note_${note}`;
  return has(key) ? say(key) : has(note) ? say(note) : note;
}

/** No event in the period: either none yet, or another period has some. */
function Nothing({ answer, arrived }: { answer: Answer; arrived: () => void }) {
  const { view, go } = useStage();
  const [known, setKnown] = useState<Awaited<ReturnType<typeof waitsWith>>>();
  useEffect(() => {
    const nothing = { snippet: undefined, hasRequests: false };
    if (view.share) setKnown(nothing);
    else waitsWith(view.app).then(setKnown, () => setKnown(nothing));
  }, [view.app]);
  if (!known) return <div class="card notice" aria-busy="true" />;
  if (known.snippet !== undefined) return <Empty snippet={known.snippet} arrived={arrived} />;
  if (known.hasRequests)
    return (
      <Notice picture="none" title={say("requests_alone")}>
        <button type="button" class="main" onClick={() => go({ ...toPage(view, "settings"), filters: [] })}>
          {say("to_settings")}
        </button>
      </Notice>
    );
  return (
    <Notice picture="none" title={say("no_traffic")}>
      <p class="note">{range(answer.from, answer.until)}</p>
      {view.period !== "12months" && (
        <button type="button" class="main" onClick={() => go({ ...view, period: "12months", interval: "" })}>
          {say("months12")}
        </button>
      )}
    </Notice>
  );
}

const Twins = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2 11l3.500-5 3 3L14 4" />
    <path d="M2 13.500l4-3 3 2 5-3" stroke-dasharray="2 2" />
  </svg>
);
