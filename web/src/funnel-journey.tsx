// Funnels and journeys: how many took one step after the other, and where people come from and go to around a page.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, type Row, dashboard } from "./api";
import { asked } from "./days";
import { Frame, askOf, useApp, useLoad } from "./frame";
import { useStage } from "./use";
import { type Filter, type View, address, write } from "./view";
import { type Key, clock, compact, has, nameOf, number, percent, range, say } from "./words";

/** What the API has. */
const STEPS_MAX = 10;
/** So long nobody types until the answer is asked for. */
const PAUSE_MS = 500;
const KINDS = ["page", "event", "goal"] as const;
type Kind = (typeof KINDS)[number];

interface Step {
  kind: Kind;
  value: string;
}

const readStep = (text: string): Step => {
  const at = text.indexOf(" ");
  const kind = KINDS.find((one) => one === text.slice(0, at)) ?? "page";
  return { kind, value: at < 0 ? "" : text.slice(at + 1) };
};
const writeStep = (step: Step) => `${step.kind} ${step.value}`;
const stepName = (step: Step) => (step.kind === "event" ? nameOf("event", step.value) : step.value);

interface Told {
  period: { from: string; until: string };
  application: { name: string; time_zone: string };
  visitors: number | string;
  steps: { step: string; visitors: number | string; sessions: number | string | null }[];
  as_of: string | null;
  is_partial: boolean;
  notes: string[];
}

/** Values that steps may have: those with the most visitors. */
function useKnown(view: View, zone: string): Record<Kind, Row[]> {
  const found = useLoad(`known ${view.app} ${view.share} ${view.period}`, (signal) =>
    dashboard({ view: { ...view, filters: [] }, zone: zone || undefined, dimensions: [...KINDS], limit: 50, interval: "day" }, signal),
  );
  const rows = (kind: Kind) => (found.value?.lists[kind]?.rows ?? []).filter((row) => row.name && row.name !== "(other)");
  return { page: rows("page"), event: rows("event"), goal: rows("goal") };
}

export function FunnelPage() {
  const { view, go } = useStage();
  const app = useApp();
  const known = useKnown(view, app.zone);
  const steps = (view.args.step ?? []).map(readStep);
  const whole = steps.filter((step) => step.value.trim());
  const within = view.args.within?.[0] === "day" ? "day" : "session";
  const isStrict = view.args.strict?.[0] === "true";
  const isReady = app.zone !== "" || view.share !== "";
  const query: [string, string][] = [
    ["period", asked(view.period, app.zone || undefined)],
    ["within", within],
    ["strict", String(isStrict)],
    ...view.filters.map((one): [string, string] => ["filter", write(one)]),
    ...whole.map((one): [string, string] => ["step", writeStep(one)]),
  ];
  const key = whole.length > 1 && isReady ? JSON.stringify([view.app, view.share, query]) : "";
  const loaded = useLoad<Told>(key, (signal) => askOf(view, "/api/v1/funnel", query, signal), 60);
  const set = (next: Step[], more: Record<string, string[]> = {}) => {
    const args = { ...view.args, ...more, step: next.map(writeStep) };
    go({ ...view, args: Object.fromEntries(Object.entries(args).filter(([, all]) => all.length && all[0] !== "")) }, true);
  };
  // Two rows to begin with.
  const rows = steps.length > 1 ? steps : [...steps, ...[{ kind: "page", value: "" }, { kind: "page", value: "" }] as Step[]].slice(0, 2);
  const told = key ? loaded.value : undefined;
  return (
    <Frame app={told ? { ...app, name: told.application.name } : app} title={say("to_funnel")} has={["period", "filter"]} loaded={key ? loaded : undefined}>
      <section class="card panel builder" aria-label={say("steps")}>
        <header>
          <h2>{say("steps")}</h2>
          <p class="note">{say("steps_about")}</p>
        </header>
        <ol>
          {rows.map((step, n) => (
            <StepRow key={n} n={n} step={step} known={known[step.kind]} set={(to) => set(rows.map((one, at) => (at === n ? to : one)))} remove={rows.length > 2 ? () => set(rows.filter((_, at) => at !== n)) : undefined} up={n > 0 ? () => set(rows.map((one, at) => (at === n - 1 ? rows[n]! : at === n ? rows[n - 1]! : one))) : undefined} />
          ))}
        </ol>
        <p class="bar-line">
          <button type="button" class="pill lined" disabled={rows.length >= STEPS_MAX} onClick={() => set([...rows, { kind: "page", value: "" }])}>
            + {say("add_step")}
          </button>
          <label class="inline">
            {say("within")}
            <select value={within} onChange={(event) => set(rows, { within: event.currentTarget.value === "day" ? ["day"] : [] })}>
              <option value="session">{say("within_session")}</option>
              <option value="day">{say("within_day")}</option>
            </select>
          </label>
          <label class="inline">
            <input type="checkbox" checked={isStrict} onChange={(event) => set(rows, { strict: event.currentTarget.checked ? ["true"] : [] })} />
            {say("strict")}
          </label>
          {rows.length >= STEPS_MAX && <span class="note">{say("steps_most", STEPS_MAX)}</span>}
        </p>
      </section>
      {whole.length < 2 ? (
        <section class="card notice">
          <h2>{say("two_steps")}</h2>
          <p>{say("two_steps_about")}</p>
        </section>
      ) : told ? (
        <section class={loaded.isOld ? "card panel flow old" : "card panel flow"} aria-busy={loaded.isOld} data-funnel>
          <header class="under-title">
            <h2>{say("funnel_of", range(told.period.from, told.period.until))}</h2>
            <div class="switch">
              <button type="button" aria-pressed={view.table} onClick={() => go({ ...view, table: !view.table }, true)}>
                {say("table")}
              </button>
            </div>
          </header>
          {view.table ? <FunnelTable told={told} /> : <FunnelPicture told={told} />}
          <Notes notes={told.notes} asOf={told.as_of} zone={told.application.time_zone} isPartial={told.is_partial} />
        </section>
      ) : (
        <div class="card panel flow" aria-busy="true" />
      )}
    </Frame>
  );
}

interface RowProps {
  n: number;
  step: Step;
  known: Row[];
  set: (step: Step) => void;
  remove: (() => void) | undefined;
  up: (() => void) | undefined;
}

function StepRow({ n, step, known, set, remove, up }: RowProps) {
  const [value, setValue] = useState(step.value);
  const kept = useRef(step.value);
  // What was kept of this field changes nothing in it: somebody may be typing still.
  useEffect(() => {
    if (step.value !== kept.current) setValue(step.value);
    kept.current = step.value;
  }, [step.value]);
  const id = `known-${n}`;
  const keep = () => {
    const to = value.trim();
    if (to === step.value) return;
    kept.current = to;
    set({ ...step, value: to });
  };
  // An answer comes while somebody types, once there is a pause. Half of a goal's name is none.
  const pause = useRef(keep);
  pause.current = () => (step.kind !== "goal" || known.some((row) => row.name === value.trim())) && keep();
  useEffect(() => {
    const timer = setTimeout(() => pause.current(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return (
    <li>
      <b aria-hidden="true">{n + 1}</b>
      <select aria-label={say("step_kind", n + 1)} value={step.kind} onChange={(event) => set({ kind: event.currentTarget.value as Kind, value: "" })}>
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {say(`one_${kind}` as Key)}
          </option>
        ))}
      </select>
      <input
        aria-label={say("step_value", n + 1)}
        list={id}
        value={value}
        maxLength={500}
        autocomplete="off"
        placeholder={step.kind === "page" ? "/cart*" : known[0]?.name ?? ""}
        onInput={(event) => setValue(event.currentTarget.value)}
        onChange={keep}
        onKeyDown={(event) => event.key === "Enter" && keep()}
      />
      <datalist id={id}>
        {known.map((row) => (
          <option key={row.name} value={row.name} />
        ))}
      </datalist>
      <button type="button" class="icon" aria-label={say("step_up", n + 1)} disabled={!up} onClick={up}>
        ↑
      </button>
      <button type="button" class="icon" aria-label={say("step_remove", n + 1)} disabled={!remove} onClick={remove}>
        ×
      </button>
    </li>
  );
}

const share = (n: number, of: number) => (of > 0 ? n / of : 0);

/** Columns of visitors; between two of them the way that those who went on took. */
function FunnelPicture({ told }: { told: Told }) {
  const counts = told.steps.map((step) => Number(step.visitors));
  const first = counts[0] ?? 0;
  const summary = told.steps.map((step, n) => `${n + 1}. ${stepName(readStep(step.step))}: ${number(counts[n]!)} (${percent(share(counts[n]!, first))})`).join(", ");
  const [height, column, gap] = [200, 100, 60];
  const width = counts.length * column + (counts.length - 1) * gap;
  const y = (count: number) => height - Math.max(count ? 2 : 0, share(count, first) * height);
  return (
    <div class="funnel">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={summary}>
        {counts.map((count, n) => {
          const x = n * (column + gap);
          const next = counts[n + 1];
          return (
            <g key={n}>
              <rect class="lost" x={x} y="0" width={column} height={height} rx="4" />
              {next !== undefined && <path class="way" d={`M${x + column} ${y(count)}L${x + column + gap} ${y(next)}V${height}H${x + column}Z`} />}
              <rect class="kept" x={x} y={y(count)} width={column} height={height - y(count)} />
            </g>
          );
        })}
      </svg>
      <ol>
        {told.steps.map((step, n) => {
          const count = counts[n]!;
          const before = counts[n - 1];
          return (
            <li key={n} data-step={count} style={{ flexBasis: `${(column / width) * 100}%` }}>
              <span class="note" title={step.step}>
                {n + 1}. {stepName(readStep(step.step))}
              </span>
              <b>{compact(count)}</b>
              <i class="meter" aria-hidden="true">
                <i style={{ width: `${share(count, first) * 100}%` }} />
              </i>
              <span>{percent(share(count, first))}</span>
              <span class="note">{before === undefined ? say("of_visitors", percent(share(count, Number(told.visitors)))) : say("lost", number(before - count), percent(share(before - count, before)))}</span>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function FunnelTable({ told }: { told: Told }) {
  const counts = told.steps.map((step) => Number(step.visitors));
  const hasVisits = told.steps.some((step) => step.sessions !== null);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={say("table")}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{say("step")}</th>
            <th scope="col">{say("visitors")}</th>
            {hasVisits && <th scope="col">{say("sessions")}</th>}
            <th scope="col">{say("of_first")}</th>
            <th scope="col">{say("of_before")}</th>
            <th scope="col">{say("lost_here")}</th>
          </tr>
        </thead>
        <tbody>
          {told.steps.map((step, n) => (
            <tr key={n}>
              <th scope="row">
                {n + 1}. {say(`one_${readStep(step.step).kind}` as Key)} {stepName(readStep(step.step))}
              </th>
              <td>{number(counts[n]!)}</td>
              {hasVisits && <td>{number(Number(step.sessions))}</td>}
              <td>{percent(share(counts[n]!, counts[0]!))}</td>
              <td>{n ? percent(share(counts[n]!, counts[n - 1]!)) : "–"}</td>
              <td>{n ? number(counts[n - 1]! - counts[n]!) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Notes({ notes, asOf, zone, isPartial }: { notes: string[]; asOf: string | null | undefined; zone: string; isPartial?: boolean }) {
  return (
    <ul class="notes">
      {asOf && <li>{say("as_of", clock(asOf, zone))}</li>}
      {isPartial && <li class="part">{say("days_without_segments")}</li>}
      {notes.map((note) => (
        <li key={note}>{has(note) ? say(note) : note}</li>
      ))}
      <li>{say("no_visit_id")}</li>
    </ul>
  );
}

/** How many pages each side has. */
const SIDE = 8;
const SIDES = ["previous_page", "next_page"] as const;

/** Where the ribbon of a page is: in its list, and at the page in the middle. */
interface Ribbon {
  name: string;
  count: number;
  at: number;
  size: number;
  mid: number;
  midSize: number;
}

export function JourneyPage() {
  const { view, go } = useStage();
  const app = useApp();
  const known = useKnown(view, app.zone);
  const page = view.args.of?.[0] ?? known.page[0]?.name ?? "";
  const filter: Filter = { dimension: "page", operator: "is", value: page };
  const isReady = (app.zone !== "" || view.share !== "") && page !== "";
  const looked = { ...view, filters: [...view.filters, filter] };
  const key = isReady ? JSON.stringify([view.app, view.share, view.period, view.filters.map(write), page]) : "";
  const loaded = useLoad<Answer>(key, (signal) => dashboard({ view: looked, zone: app.zone || undefined, dimensions: [...SIDES], limit: SIDE, interval: "month" }, signal), 60);
  const [text, setText] = useState(page);
  useEffect(() => setText(page), [page]);
  const to = (of: string) => ({ ...view, args: { of: [of] } });
  const answer = key ? loaded.value : undefined;
  return (
    <Frame app={answer ? answer.app : app} title={say("to_journey")} has={["period", "filter"]} loaded={key ? loaded : undefined}>
      <section class="card panel flow" aria-busy={!answer || loaded.isOld} data-journey>
        <header class="under-title">
          <form
            class="bar-line"
            onSubmit={(event) => {
              event.preventDefault();
              if (text.trim()) go(to(text.trim()));
            }}
          >
            <label class="inline">
              {say("journey_of")}
              <input list="pages" value={text} maxLength={500} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} onChange={() => text.trim() && text.trim() !== page && go(to(text.trim()))} />
            </label>
            <datalist id="pages">
              {known.page.map((row) => (
                <option key={row.name} value={row.name} />
              ))}
            </datalist>
          </form>
          <div class="switch">
            <button type="button" aria-pressed={view.table} onClick={() => go({ ...view, table: !view.table }, true)}>
              {say("table")}
            </button>
          </div>
        </header>
        {answer &&
          (answer.total.page_views ? (
            <>
              {view.table ? <JourneyTable answer={answer} to={to} /> : <JourneyPicture answer={answer} page={page} to={to} />}
              <ul class="notes">
                <li>{range(answer.from, answer.until)}</li>
                {SIDES.some((side) => answer.lists[side]?.isCut) && <li>{say("journey_cut", SIDE)}</li>}
                {answer.asOf && <li>{say("as_of", clock(answer.asOf, answer.app.zone))}</li>}
                {!answer.isComplete && <li class="part">{say("computing")}</li>}
              </ul>
            </>
          ) : (
            <p class="nothing">{say("journey_none", page)}</p>
          ))}
      </section>
    </Frame>
  );
}

const sideName = (name: string) => (name === "(entry)" ? say("came_in") : name === "(exit)" ? say("went_out") : name === "" ? say("others") : nameOf("page", name));
const isPage = (name: string) => name !== "" && !name.startsWith("(");

/** The pages of a side, and what is left of all views. */
function ofSide(answer: Answer, side: string): { name: string; count: number }[] {
  const rows = (answer.lists[side]?.rows ?? []).map((row) => ({ name: row.name, count: row.counts.page_views ?? 0 }));
  rows.sort((a, b) => b.count - a.count);
  const rest = (answer.total.page_views ?? 0) - rows.reduce((sum, row) => sum + row.count, 0);
  return rest > 0 ? [...rows, { name: "", count: rest }] : rows;
}

function ribbons(rows: { name: string; count: number }[], height: number): Ribbon[] {
  const all = rows.reduce((sum, row) => sum + row.count, 0) || 1;
  const least = 26;
  const room = height - rows.length * least;
  let [at, mid] = [0, 0];
  return rows.map((row) => {
    const size = least - 4 + (row.count / all) * Math.max(room, 0);
    const midSize = (row.count / all) * height;
    const ribbon = { ...row, at, size, mid, midSize };
    at += size + 4;
    mid += midSize;
    return ribbon;
  });
}

function JourneyPicture({ answer, page, to }: { answer: Answer; page: string; to: (of: string) => View }) {
  const height = 400;
  const [before, after] = SIDES.map((side) => ribbons(ofSide(answer, side), height)) as [Ribbon[], Ribbon[]];
  const views = answer.total.page_views ?? 0;
  const curve = (r: Ribbon, isLeft: boolean) => {
    const [a, b] = isLeft ? [r.at, r.mid] : [r.mid, r.at];
    const [s, t] = isLeft ? [r.size, r.midSize] : [r.midSize, r.size];
    return `M0 ${a}C50 ${a} 50 ${b} 100 ${b}V${b + t}C50 ${b + t} 50 ${a + s} 0 ${a + s}Z`;
  };
  const list = (all: Ribbon[], side: string) => (
    <ol class={side} aria-label={say(side as Key)}>
      {all.map((one) => (
        <li key={one.name} style={{ height: `${one.size}px` }} data-page={one.name} data-count={one.count}>
          <Place name={one.name} to={to} />
          <b>{compact(one.count)}</b>
          <span class="note">{percent(share(one.count, views))}</span>
        </li>
      ))}
    </ol>
  );
  const band = (all: Ribbon[], isLeft: boolean) => (
    <svg viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {all.map((one) => (
        <path key={one.name} class={isPage(one.name) ? "way" : "way end"} d={curve(one, isLeft)} />
      ))}
    </svg>
  );
  return (
    <div class="journey">
      {list(before, "previous_page")}
      {band(before, true)}
      <div class="middle">
        <b title={page}>{nameOf("page", page)}</b>
        <span>{say("n_views", views)}</span>
      </div>
      {band(after, false)}
      {list(after, "next_page")}
    </div>
  );
}

/** A page leads to its own journey. */
function Place({ name, to }: { name: string; to: (of: string) => View }) {
  const { go } = useStage();
  if (!isPage(name)) return <span class="text">{sideName(name)}</span>;
  return (
    <a
      class="text"
      href={address(to(name))}
      title={name}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        go(to(name));
      }}
    >
      {name}
    </a>
  );
}

function JourneyTable({ answer, to }: { answer: Answer; to: (of: string) => View }) {
  const views = answer.total.page_views ?? 0;
  return (
    <div class="two">
      {SIDES.map((side) => (
        <div key={side} class="scroll" tabIndex={0} role="region" aria-label={say(side)}>
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{say(side)}</th>
                <th scope="col">{say("views")}</th>
                <th scope="col">{say("share")}</th>
              </tr>
            </thead>
            <tbody>
              {ofSide(answer, side).map((row) => (
                <tr key={row.name}>
                  <th scope="row">
                    <Place name={row.name} to={to} />
                  </th>
                  <td>{number(row.count)}</td>
                  <td>{percent(share(row.count, views))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
    </div>
  );
}

