// All values of a dimension with all their numbers: loaded where somebody asks for them. (What all pages share is
// imported, so that it stays one file.)
import { useState } from "preact/hooks";
import { type Question, type Row, type Values, dashboard, value } from "./api";
import "./bar";
import { asked } from "./days";
import { Modal } from "./dialog";
import "./filters";
import { exact, titleOf, written } from "./metric";
import { ROWS, RowLink, barBefore, barOf, isSaid } from "./panel";
import { Waiting } from "./tiles";
import { useStage } from "./use";
import { METRICS, PANELS, write } from "./view";
import { money, nameOf, number, oneOf, percent, say, signed } from "./words";

/** How many the dialog has. */
const ALL = 100;

/** Where the same list is as CSV. */
function table({ view, zone }: Question, dimension: string): string {
  const query = new URLSearchParams({ application_id: view.app, period: asked(view.period, zone), dimension, limit: "1000" });
  for (const filter of view.filters) query.append("filter", write(filter));
  if (view.traffic !== "human") query.set("class", view.traffic);
  if (view.share) query.set("share", view.share);
  return `/api/v1/statistics.csv?${query}`;
}

/** A number of each value. */
interface Column {
  name: string;
  title: string;
  /** To sort by. */
  of: (row: Row) => number;
  shown: (row: Row) => string;
  /** With all digits. */
  exact?: (row: Row) => string;
}

const lost = (row: Row) => barOf(row) - barBefore(row);
const said = (row: Row, name: string) => Number(row.amounts?.[name] ?? 0);

/** The columns that a list has: those that mean something for its values. */
function columnsOf(dimension: string, rows: Row[], isCompared: boolean, total: number): Column[] {
  const any = (of: (row: Row) => unknown) => rows.some(of);
  const count = (name: string, title: string, of: (row: Row) => number): Column => ({ name, title, of, shown: (row) => number(of(row)) });
  const isOfVisits = !["page", "exit_page", ...PANELS.events].includes(dimension) && !isSaid(dimension);
  // Of what single events say, only products and properties may be those of page views; an exit page has been read by others, too.
  const hasViews = dimension !== "goal" && dimension !== "exit_page" && (!isSaid(dimension) || any((row) => row.counts.page_views));
  // An order is no merit of the page that says thank you.
  const hasWorth = dimension !== "page";
  const has = { visitors: true, sessions: true, page_views: hasViews, views_per_visit: false, bounce_rate: isOfVisits, duration: isOfVisits };
  const metrics = METRICS.filter((one) => has[one] && any((row) => value(one, row.counts) !== undefined));
  const all: (Column | false)[] = [
    ...metrics.map((one): Column => ({
      name: one,
      title: say(one),
      of: (row) => value(one, row.counts) ?? 0,
      shown: (row) => (one === "visitors" ? exact : written)(one, value(one, row.counts)),
      exact: (row) => exact(one, value(one, row.counts)),
    })),
    isCompared && { name: "change", title: say("change"), of: lost, shown: (row) => signed(lost(row)), exact: (row) => `${say("before")}: ${number(barBefore(row))}` },
    (isSaid(dimension) || !metrics.includes("visitors")) && count("events", say("events"), (row) => row.counts.events ?? 0),
    hasWorth && any((row) => said(row, "orders")) && count("orders", say("orders"), (row) => said(row, "orders")),
    hasWorth && any((row) => row.revenue) && { name: "revenue", title: say("revenue"), of: (row) => Number(row.revenue?.[0]?.amount ?? 0), shown: (row) => money(row.revenue ?? []) || "–" },
    dimension === "search" && count("no_results", say("no_results"), (row) => row.empty ?? 0),
  ];
  const share = (row: Row) => row.counts.conversion_rate ?? barOf(row) / total;
  all.push(metrics.includes("visitors") && { name: "share", title: say(dimension === "goal" ? "conversion_rate" : "share"), of: share, shown: (row) => percent(share(row)) });
  return all.filter((one) => one !== false);
}

/** What single events say is summed for lists of visits only where it is asked for; the counts stay those of the page. */
async function sums(question: Question, dimension: string) {
  const wanted = { ...question, dimensions: [dimension], limit: ALL };
  const [answer, summed] = await Promise.all([dashboard(wanted), isSaid(dimension) || dimension === "goal" ? undefined : dashboard({ ...wanted, amounts: true }).catch(() => undefined)]);
  const values = answer.lists[dimension]!;
  const more = new Map(summed?.lists[dimension]?.rows.map((row) => [row.name, row]));
  const rows = values.rows.map((row) => {
    const { amounts, revenue } = more.get(row.name) ?? row;
    return { ...row, ...(amounts && { amounts }), ...(revenue && { revenue }) };
  });
  return { values: { ...values, rows }, total: answer.total.visitors || 1 };
}

/** All values of a dimension with all their numbers. */
export function All({ dimension, question, close }: { dimension: string; question: Question; close: () => void }) {
  const { view } = useStage();
  const [by, setBy] = useState({ column: "", isDown: true });
  const [found, setFound] = useState<{ values: Values; total: number }>();
  const [isAsked, setAsked] = useState(false);
  const [failed, setFailed] = useState("");
  const [text, setText] = useState("");
  if (!isAsked) {
    setAsked(true);
    sums(question, dimension).then(setFound, (error) => setFailed(error.message || say("offline")));
  }
  const values = found?.values;
  const columns = found && columnsOf(dimension, found.values.rows, view.compare, found.total);
  const sort = columns?.find((one) => one.name === by.column) ?? columns?.[0];
  const rows = values?.rows.filter((row) => `${nameOf(dimension, row.name)}\n${row.name}`.toLowerCase().includes(text.toLowerCase()));
  const sorted = rows && [...rows].sort((a, b) => (sort ? (sort.of(b) - sort.of(a)) * (by.isDown ? 1 : -1) : 0));
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
        {columns ? (
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{oneOf(dimension)}</th>
                {/* A head sorts: first the most, then the least; of changes, first the greatest loss. */}
                {columns.map(({ name, title }) => (
                  <th scope="col" key={name} aria-sort={sort?.name === name ? (by.isDown ? "descending" : "ascending") : undefined}>
                    <button type="button" onClick={() => setBy({ column: name, isDown: sort?.name === name ? !by.isDown : name !== "change" })}>
                      {title}
                      {sort?.name === name ? (by.isDown ? " ↓" : " ↑") : ""}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sorted!.map((row) => (
                <tr key={row.name} data-value={row.name}>
                  <th scope="row">
                    <RowLink dimension={dimension} row={row} />
                  </th>
                  {columns.map((one) => (
                    <td key={one.name} title={one.exact?.(row)} data-column={one.name} data-change={one.name === "change" ? lost(row) : undefined}>
                      {one.shown(row)}
                    </td>
                  ))}
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
