// Lists of values. Every row is a filter: a click adds it, Alt or Shift adds its opposite.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer, Counts, KeptPanel, Question, Row, Values } from "./api";
import { Link } from "./bar";
// Whatever has lists has charts, too.
import "./chart";
import { titleOf } from "./metric";
import { Change, Waiting } from "./tiles";
import { useStage } from "./use";
import { type Filter, PANELS, address, seen, toPage, toggled, withList } from "./view";
import { FORM_WORDS, compact, language, learn, money, nameOf, number, oneOf, percent, say } from "./words";

/** How many rows a panel has. */
export const ROWS = 9;
/** How many of the panels of the last row. */
export const LOW = 6;
/** How many are asked for: all hours of a day are among them. */
export const ASKED = 30;
/** Which counts are the bars of a list: visitors, or what happened on pages that nobody is known to have read. */
export const barOf = ({ counts }: { counts: Counts }) => counts.visitors ?? counts.events ?? 0;
/** What these were before. */
export const barBefore = ({ before }: Row) => (before ? barOf({ counts: before }) : 0);

export function RowLink({ dimension, row, title, children }: { dimension: string; row: { name: string }; title?: string; children?: ComponentChildren }) {
  const { view, go } = useStage();
  const name = nameOf(dimension, row.name);
  if (row.name === "(other)") return <span class="text">{name}</span>;
  const filter: Filter = { dimension, operator: "is", value: row.name };
  const chosen = toggled(view, filter);
  return (
    <a
      class="text"
      href={address(chosen)}
      title={title ?? name}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        go(event.altKey || event.shiftKey ? toggled(view, { ...filter, operator: "is not" }) : chosen);
      }}
    >
      {children ?? name}
    </a>
  );
}

/** Columns for the hours of a day, each of which is a filter, too. */
function Hours({ rows }: { rows: Row[] }) {
  const by = new Map(rows.map((row) => [Number(row.name), row.counts.visitors ?? 0]));
  // A day has 23 to 25 hours.
  const hours = Math.max(24, ...[...by.keys()].filter((hour) => hour < 26).map((hour) => hour + 1));
  const most = Math.max(1, ...by.values());
  return (
    <ol class="hours">
      {Array.from({ length: hours }, (_, hour) => {
        const visitors = by.get(hour) ?? 0;
        const text = `${nameOf("hour", String(hour))}: ${number(visitors)}`;
        return (
          <li key={hour} title={text}>
            <RowLink dimension="hour" row={{ name: String(hour) }} title={text}>
              <span class="hidden">{text}</span>
              <i class={visitors === most ? "most" : undefined} style={{ height: `calc((100% - 24px) * ${(visitors / most).toFixed(4)})` }} />
              <span aria-hidden="true">{hour % 3 === 0 ? String(hour).padStart(2, "0") : ""}</span>
            </RowLink>
          </li>
        );
      })}
    </ol>
  );
}

interface ListProps {
  dimension: string;
  values: Values;
  compare: boolean;
  limit: number;
  /** One more number of each row, and its name. */
  third?: { title: string; about?: string; of: (row: Row) => string; isWide?: boolean } | undefined;
}

export function List({ dimension, values, compare, limit, third }: ListProps) {
  const { view } = useStage();
  if (dimension === "search") third = { title: say("no_results"), of: (row) => compact(row.empty ?? 0) };
  const rows = values.rows.slice(0, limit);
  if (rows.length === 0) return <p class="nothing">{say(dimension === "goal" ? "no_goals" : view.filters.length ? "nothing_filtered" : "nothing")}{dimension === "goal" && <ToSettings />}</p>;
  const most = Math.max(1, ...rows.map(barOf));
  const isGoal = dimension === "goal";
  // What is worth something says how much, in place of the share or of visits.
  const isWorth = rows.some((row) => row.revenue) && !dimension.includes(":");
  const rate = (row: Row) => percent(row.counts.conversion_rate ?? 0);
  if (isGoal && compare) third = { title: say("conversion_rate"), of: rate };
  else if (isGoal && isWorth) third = { title: say("revenue"), of: (row) => money(row.revenue ?? []) || "–", isWide: true };
  const second = isSaid(dimension) ? "events" : dimension === "page" ? "page_views" : "sessions";
  const first = rows[0]!.counts.visitors === undefined ? "events" : "visitors";
  const hasSecond = compare || rows.some((row) => row.counts[second] !== undefined);
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{dimension === "browser" && view.traffic !== "human" ? say("program") : oneOf(dimension)}</th>
          <th scope="col" class="n">
            {say(first)}
          </th>
          {hasSecond && <th scope="col" class="n more">
            {compare ? say("change") : isGoal ? say("conversion_rate") : isWorth ? say("revenue") : second === "sessions" ? say("sessions") : say(second === "events" ? "events" : "views")}
          </th>}
          {third && <th scope="col" class={third.isWide ? "n more wide-only" : "n more"} title={third.about}>{third.title}</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name} data-value={row.name}>
            <th scope="row">
              <i class="fill" style={{ width: `${(barOf(row) / most) * 100}%` }} />
              <RowLink dimension={dimension} row={row} />
            </th>
            <td class="n" title={number(barOf(row))}>
              {compact(barOf(row))}
            </td>
            {hasSecond && <td class="n more" title={row.revenue && money(row.revenue)}>{compare ? <Change metric="visitors" now={barOf(row)} before={barBefore(row)} /> : isGoal ? rate(row) : isWorth ? money(row.revenue ?? []) || "–" : compact(row.counts[second] ?? 0)}</td>}
            {third && <td class={third.isWide ? "n more wide-only" : "n more"} data-third title={third.of(row)}>{third.of(row)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Where goals and properties are chosen. */
export function ToSettings() {
  const { view } = useStage();
  return view.share || view.wall ? null : <><br /><Link to={{ ...toPage(view, "settings"), filters: [] }}>{say("to_settings")}</Link></>;
}

/** Whether values are what single events say, which are counted in place of visits. */
export const isSaid = (dimension: string) => ["event", "product", "search", "outbound", "download", "click"].includes(dimension) || dimension.includes(":");

interface Props {
  name: keyof typeof PANELS;
  answer: Answer | undefined;
  question: Question;
}

export function Panel({ name, answer, question }: Props) {
  const { view, go } = useStage();
  const dimensions = PANELS[name] as readonly string[];
  const chosen = dimensions.find((one) => seen(view).includes(one))!;
  const values = answer?.lists[chosen];
  const isLow = name === "events" || name === "hours";
  // What is no person has no browser, but a name.
  const title = (one: string) => (one === "browser" && view.traffic !== "human" ? say("programs") : titleOf(one));
  const rows = isLow ? LOW : ROWS;
  return (
    <section class={isLow ? "card panel low" : "card panel"} aria-label={title(chosen)} data-panel={name}>
      <header>
        {dimensions.length === 1 ? (
          <h2>{title(chosen)}</h2>
        ) : (
          <div class="tabs" role="tablist">
            {dimensions.map((one) => (
              <button
                key={one}
                role="tab"
                type="button"
                aria-selected={one === chosen}
                tabIndex={one === chosen ? 0 : -1}
                onClick={() => go(withList(view, one), true)}
                onKeyDown={(event) => {
                  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
                  if (!by) return;
                  event.preventDefault();
                  event.stopPropagation();
                  const to = (dimensions.indexOf(one) + by + dimensions.length) % dimensions.length;
                  go(withList(view, dimensions[to]!), true);
                  (event.currentTarget.parentElement!.children[to] as HTMLElement).focus();
                }}
              >
                {title(one)}
              </button>
            ))}
          </div>
        )}
      </header>
      <div class="body">
        {!values ? (
          <Waiting rows={rows} />
        ) : chosen === "hour" ? (
          <Hours rows={values.rows} />
        ) : (
          <List dimension={chosen} values={values} compare={!!answer?.before} limit={rows} />
        )}
      </div>
      <More dimension={chosen} values={chosen === "hour" ? undefined : values} question={question} />
    </section>
  );
}

/** Keeps what is on the screen as a panel, if one may. */
export function Keep({ panel }: { panel: Partial<KeptPanel> }) {
  const { view } = useStage();
  const [isOpen, setOpen] = useState(false);
  const [form, setForm] = useState<typeof import("./panelform")>();
  useEffect(() => {
    if (isOpen && !form) void Promise.all([import("./panelform"), learn(FORM_WORDS[language]!)]).then(([loaded]) => setForm(() => loaded), () => setOpen(false));
  }, [isOpen]);
  // Panels are of people.
  if (view.share || view.wall || view.traffic !== "human") return null;
  return (
    <>
      <button type="button" class="all keep" onClick={() => setOpen(true)}>
        {say("save_panel")}
      </button>
      {isOpen && form && <form.SavePanel panel={panel} close={() => setOpen(false)} />}
    </>
  );
}

/** Opens all values, with all that is known of each. */
export function More({ dimension, values, question, kept }: { dimension: string; values: Values | undefined; question: Question; kept?: Partial<KeptPanel> }) {
  const [isOpen, setOpen] = useState(false);
  const [all, setAll] = useState<typeof import("./values")>();
  useEffect(() => {
    if (isOpen && !all) void import("./values").then((loaded) => setAll(() => loaded), () => setOpen(false));
  }, [isOpen]);
  return (
    <div class="below">
      {values && values.rows.length > 0 ? (
        <button class="all" type="button" onClick={() => setOpen(true)}>
          {say("details")}
        </button>
      ) : (
        <span class="all" />
      )}
      {values && values.rows.length > 0 && <Keep panel={{ drawing: "bars", metrics: ["visitors"], dimension, ...kept }} />}
      {isOpen && all && <all.All dimension={dimension} question={question} close={() => setOpen(false)} />}
    </div>
  );
}
