// All values of a dimension with all their numbers: loaded where somebody asks for them. (What all pages share is
// imported, so that it stays one file.)
import { useState } from "preact/hooks";
import { type Question, type Row, type Values, dashboard, value } from "./api";
import "./bar";
import { asked } from "./days";
import { Modal } from "./dialog";
import "./filters";
import { exact, money, titleOf, written } from "./metric";
import { ROWS, RowLink, Waiting, barOf, isSaid } from "./panel";
import { useStage } from "./use";
import { type Metric, PANELS, write } from "./view";
import { nameOf, number, oneOf, percent, say, signed } from "./words";

/** How many the dialog has. */
const ALL = 100;

/** Where the same list is as CSV. */
function table({ view, zone }: Question, dimension: string): string {
  const query = new URLSearchParams({ application_id: view.app, period: asked(view.period, zone), dimension, limit: "1000" });
  for (const filter of view.filters) query.append("filter", write(filter));
  if (view.share) query.set("share", view.share);
  return `/api/v1/statistics.csv?${query}`;
}

/** All values of a dimension with all their numbers. */
export function All({ dimension, question, close }: { dimension: string; question: Question; close: () => void }) {
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
  const columns = (["visitors", "sessions", "page_views", "bounce_rate", "duration"] as const).filter((one) => (one === "page_views" ? dimension !== "goal" : one !== "bounce_rate" && one !== "duration" ? true : !["page", "exit_page", ...PANELS.events].includes(dimension) && !isSaid(dimension)));
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
                <th scope="col">{oneOf(dimension)}</th>
                {columns.map((one) => head(one, say(one)))}
                {view.compare && head("change", say("change"))}
                {rows.some((row) => row.revenue) && <th scope="col">{say("revenue")}</th>}
                {isSaid(dimension) && <th scope="col">{say("events")}</th>}
                {dimension === "search" && <th scope="col">{say("no_results")}</th>}
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
                  {isSaid(dimension) && <td>{number(row.counts.events ?? 0)}</td>}
                  {dimension === "search" && <td>{number(row.empty ?? 0)}</td>}
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
