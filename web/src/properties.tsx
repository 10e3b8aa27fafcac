// The values of the properties that an application has chosen: loaded where it has chosen any. (What all pages share is
// imported, so that it stays one file.)
import { useEffect, useState } from "preact/hooks";
import { type Answer, type Question, type Row, ask, propertySeen, rows } from "./api";
import "./bar";
import { asked } from "./days";
import "./filters";
import { ASKED, LOW, List, More } from "./panel";
import { Waiting } from "./tiles";
import { useStage } from "./use";
import { PROPERTY, withList, write } from "./view";
import { decimals, say } from "./words";

const NUMBER = /^-?\d{1,12}(\.\d+)?$/;

/** The sums of a property by the values of another, and of all events. */
interface Sums {
  key: string;
  of: string;
  rows: Map<string, string>;
  total: string;
  unread: number;
}

/** Asks for sums; again with each new answer. */
function useSums(question: Question, answer: Answer, dimension: string, sum: string): Sums | undefined {
  const { view, zone } = question;
  const [sums, setSums] = useState<Sums>();
  const query = new URLSearchParams({ application_id: view.app, period: asked(view.period, zone), dimension, sum, limit: String(ASKED) });
  for (const filter of view.filters) query.append("filter", write(filter));
  if (view.share) query.set("share", view.share);
  const key = sum && String(query);
  useEffect(() => {
    if (!key) return;
    const control = new AbortController();
    ask<Record<string, any>>("GET", `/api/v1/statistics?${key}`, undefined, control.signal).then(
      (said) => {
        const all: Row[] = rows(said.values, "value");
        const total = said.total.amounts;
        setSums({ key, of: sum, rows: new Map(all.map((row) => [row.name, row.sum ?? ""])), total: total?.sum ?? "0", unread: Number(total?.unread ?? 0) });
      },
      () => {}, // The page's own question says what is wrong.
    );
    return () => control.abort();
  }, [key, answer]);
  return sums && sums.key === key ? sums : undefined;
}

export function Properties({ answer, question }: { answer: Answer; question: Question }) {
  const { view, go } = useStage();
  const all = answer.app.properties;
  const chosen = propertySeen(view)!;
  const name = chosen.slice(PROPERTY.length);
  const values = answer.lists[chosen];
  // Numbers are summed unasked.
  const named = values?.rows.filter((row) => row.name && row.name !== "(other)") ?? [];
  const own = named.filter((row) => NUMBER.test(row.name)).length * 2 > named.length ? name : "";
  const sum = all.includes(view.sum) ? view.sum : own;
  const sums = useSums(question, answer, chosen, sum);
  const third = sum ? { title: say("property_sum"), about: say("sum_of", sum), of: (row: Row) => decimals(sums?.rows.get(row.name) ?? "") } : undefined;
  const isPart = values?.notes.some((note) => note === "property" || note === "values");
  const options = (of: string[]) => of.map((one) => <option key={one} value={one}>{one}</option>);
  return (
    <>
      <header class="with-choices">
        <h2>{say("properties")}</h2>
        <select name="property" aria-label={say("property_of")} value={name} onChange={(event) => go(withList(view, PROPERTY + event.currentTarget.value), true)}>
          {options(all)}
        </select>
        <select name="sum" aria-label={say("property_sum")} value={sum} onChange={(event) => go({ ...view, sum: event.currentTarget.value }, true)}>
          <option value="" disabled={own !== ""}>{say("no_sum")}</option>
          {all.map((one) => <option key={one} value={one}>{say("sum_of", one)}</option>)}
        </select>
      </header>
      <div class="body">{values ? <List dimension={chosen} values={values} compare={!!answer.before} limit={LOW} third={third} /> : <Waiting rows={LOW} />}</div>
      {sums && (
        <p class="note" data-sum={sums.total}>
          {say("sum_of", sums.of)}: <b>{decimals(sums.total)}</b>
          {sums.unread > 0 && ` · ${say("sum_unread", sums.unread)}`}
        </p>
      )}
      {isPart && <p class="note" data-part>{say("property_part", name)}</p>}
      <More dimension={chosen} values={values} question={question} kept={sum ? { metrics: ["sum"], sum } : {}} />
    </>
  );
}
