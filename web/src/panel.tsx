// Lists of values. Every row is a filter: a click adds it, Alt or Shift adds its opposite.
import { useState } from "preact/hooks";
import type { Answer, Question, Row, Values } from "./api";
import { dashboard, value } from "./api";
import { Hours } from "./chart";
import { asked } from "./days";
import { Modal } from "./dialog";
import { exact, money, titleOf, written } from "./metric";
import { Change } from "./tiles";
import { useStage } from "./use";
import { type Filter, type Metric, PANELS, address, seen, toggled, withList, write } from "./view";
import { type Key, compact, nameOf, number, percent, say, signed } from "./words";

/** How many rows a panel has. */
const ROWS = 9;
/** How many of the panels of the last row. */
const LOW = 6;
/** How many are asked for: all hours of a day are among them. */
export const ASKED = 30;
/** How many the dialog has. */
const ALL = 100;

/** Which counts are the bars of a list. */
const barOf = (row: Row) => row.counts.visitors ?? 0;

function RowLink({ dimension, row }: { dimension: string; row: Row }) {
  const { view, go } = useStage();
  const name = nameOf(dimension, row.name);
  if (row.name === "(other)" || dimension === "hour") return <span class="text">{name}</span>;
  const filter: Filter = { dimension, operator: "is", value: row.name };
  const chosen = toggled(view, filter);
  return (
    <a
      class="text"
      href={address(chosen)}
      title={name}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        go(event.altKey || event.shiftKey ? toggled(view, { ...filter, operator: "is not" }) : chosen);
      }}
    >
      {name}
    </a>
  );
}

export function List({ dimension, values, compare, limit }: { dimension: string; values: Values; compare: boolean; limit: number }) {
  const { view } = useStage();
  const rows = values.rows.slice(0, limit);
  if (rows.length === 0) return <p class="nothing">{say(dimension === "goal" ? "no_goals" : view.filters.length ? "nothing_filtered" : "nothing")}</p>;
  const most = Math.max(1, ...rows.map(barOf));
  const isGoal = dimension === "goal";
  // What is worth something says how much, in place of the share or of visits.
  const isWorth = rows.some((row) => row.revenue);
  const second = ["event", "product", "search", "outbound", "download", "click"].includes(dimension) ? "events" : dimension === "page" ? "page_views" : "sessions";
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{say(`one_${dimension}` as Key)}</th>
          <th scope="col" class="n">
            {say("visitors")}
          </th>
          <th scope="col" class="n more">
            {compare ? say("change") : isWorth ? say("revenue") : isGoal ? say("conversion_rate") : second === "sessions" ? say("sessions") : say(second === "events" ? "events" : "views")}
          </th>
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
            <td class="n more" title={row.revenue && money(row.revenue)}>{compare ? <Change metric="visitors" now={barOf(row)} before={row.before?.visitors ?? 0} /> : isWorth ? money(row.revenue ?? []) || "–" : isGoal ? percent(row.counts.conversion_rate ?? 0) : compact(row.counts[second] ?? 0)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Props {
  name: keyof typeof PANELS;
  answer: Answer | undefined;
  question: Question;
}

export function Panel({ name, answer, question }: Props) {
  const { view, go } = useStage();
  const [isOpen, setOpen] = useState(false);
  const dimensions = PANELS[name] as readonly string[];
  const chosen = dimensions.find((one) => seen(view).includes(one))!;
  const values = answer?.lists[chosen];
  const isLow = name === "events" || name === "hours";
  const rows = isLow ? LOW : ROWS;
  return (
    <section class={isLow ? "card panel low" : "card panel"} aria-label={titleOf(chosen)} data-panel={name}>
      <header>
        {dimensions.length === 1 ? (
          <h2>{titleOf(chosen)}</h2>
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
                {titleOf(one)}
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
      {values && chosen !== "hour" && (values.rows.length > rows || values.isCut) ? (
        <button class="all" type="button" onClick={() => setOpen(true)}>
          {say("details")}
        </button>
      ) : (
        <span class="all" />
      )}
      {isOpen && <All dimension={chosen} question={question} close={() => setOpen(false)} />}
    </section>
  );
}

const Waiting = ({ rows }: { rows: number }) => (
  <div class="waits" aria-hidden="true">
    {Array.from({ length: rows }, (_, n) => (
      <i key={n} class="wait" style={{ width: `${88 - n * 8}%` }} />
    ))}
  </div>
);

/** Where the same list is as CSV. */
function table({ view, zone }: Question, dimension: string): string {
  const query = new URLSearchParams({ application_id: view.app, period: asked(view.period, zone), dimension, limit: "1000" });
  for (const filter of view.filters) query.append("filter", write(filter));
  if (view.share) query.set("share", view.share);
  return `/api/v1/statistics.csv?${query}`;
}

/** All values of a dimension with all their numbers. */
function All({ dimension, question, close }: { dimension: string; question: Question; close: () => void }) {
  const { view } = useStage();
  const [by, setBy] = useState<{ column: string; isDown: boolean }>({ column: "visitors", isDown: true });
  const [values, setValues] = useState<Values>();
  const [total, setTotal] = useState(1);
  const [isAsked, setAsked] = useState(false);
  const [failed, setFailed] = useState("");
  const [text, setText] = useState("");
  if (!isAsked) {
    setAsked(true);
    dashboard({ ...question, dimensions: [dimension], limit: ALL }).then(
      (answer) => {
        setValues(answer.lists[dimension]);
        setTotal(answer.total.visitors || 1);
      },
      (error) => setFailed(error.message || say("offline")),
    );
  }
  const rows = values?.rows.filter((row) => `${nameOf(dimension, row.name)}\n${row.name}`.toLowerCase().includes(text.toLowerCase()));
  const lost = (row: Row) => barOf(row) - (row.before?.visitors ?? 0);
  const sorted = rows && [...rows].sort((a, b) => {
    const of = (row: Row) => (by.column === "change" ? lost(row) : by.column === "share" ? (row.counts.conversion_rate ?? barOf(row)) : (value(by.column as Metric, row.counts) ?? 0));
    return (of(b) - of(a)) * (by.isDown ? 1 : -1);
  });
  /** A head that sorts: first the most, then the least. */
  const head = (column: string, text: string) => (
    <th scope="col" key={column} aria-sort={by.column === column ? (by.isDown ? "descending" : "ascending") : undefined}>
      <button type="button" onClick={() => setBy({ column, isDown: by.column === column ? !by.isDown : column !== "change" })}>
        {text}
        {by.column === column ? (by.isDown ? " ↓" : " ↑") : ""}
      </button>
    </th>
  );
  const columns = (["visitors", "sessions", "page_views", "bounce_rate", "duration"] as const).filter((one) => (one === "page_views" ? dimension !== "goal" : one !== "bounce_rate" && one !== "duration" ? true : !["page", "exit_page", ...PANELS.events].includes(dimension)));
  return (
    <Modal title={titleOf(dimension)} close={close} wide>
      <p class="bar-line">
        <input type="search" autofocus placeholder={say("search")} aria-label={say("search")} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        {values?.isCut && <span class="note">{say("cut", values.rows.length)}</span>}
        <span class="grow" />
        <a class="quiet" download href={table(question, dimension)}>
          {say("csv")}
        </a>
      </p>
      {failed && <p class="nothing">{failed}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label={titleOf(dimension)} onClick={(event) => (event.target as Element).closest("a") && close()}>
        {rows ? (
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{say(`one_${dimension}` as Key)}</th>
                {columns.map((one) => head(one, say(one)))}
                {view.compare && head("change", say("change"))}
                {rows.some((row) => row.revenue) && <th scope="col">{say("revenue")}</th>}
                {head("share", say(dimension === "goal" ? "conversion_rate" : "share"))}
              </tr>
            </thead>
            <tbody>
              {sorted!.map((row) => (
                <tr key={row.name} data-value={row.name}>
                  <th scope="row">
                    <RowLink dimension={dimension} row={row} />
                  </th>
                  {columns.map((one) => (
                    <td key={one} title={exact(one, value(one, row.counts))}>
                      {one === "visitors" ? exact(one, value(one, row.counts)) : written(one, value(one, row.counts))}
                    </td>
                  ))}
                  {view.compare && (
                    <td data-change={lost(row)} title={`${say("before")}: ${number(row.before?.visitors ?? 0)}`}>
                      {signed(lost(row))}
                    </td>
                  )}
                  {rows!.some((row) => row.revenue) && <td>{money(row.revenue ?? []) || "–"}</td>}
                  <td>{percent(row.counts.conversion_rate ?? barOf(row) / total)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          !failed && <Waiting rows={ROWS} />
        )}
      </div>
    </Modal>
  );
}
