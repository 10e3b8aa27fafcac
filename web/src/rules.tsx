// A rule: as a form or as its text, with what is wrong beside the field, and tried on the last 30 days while one types.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Link } from "./bar";
import { type Said, Severity, of, to } from "./bits";
// What pages share is part of what is loaded first.
import "./filters";
import { Notice } from "./states";
import { type Measured, type Point, TimeChart } from "./timechart";
import { useStage } from "./use";
import { type Learned, type Key, dateTime, say } from "./words";

/** Its words, by language. */
export const WORDS: Record<string, Learned> = {
  en: () => import("./words/rules-en"),
  de: () => import("./words/rules-de"),
  ja: () => import("./words/rules-ja"),
  ko: () => import("./words/rules-ko"),
};

const SEVERITIES = ["low", "medium", "high", "critical"];
/** What is proposed; the server says which there are. */
const METRICS = ["error_rate", "errors", "client_error_rate", "requests", "events", "page_views", "response_time_p95", "response_time_p99", "bytes_per_minute", "bot_share", "sum", "mean"];
const COLUMNS = ["path", "host", "status", "method", "class"];
const WINDOWS = ["1m", "5m", "1h", "1d"];
const COMPARES = ["> 5", "< 10", "change < -50 %", "above baseline by 3x", "moving average ± 3", "absent for 10m"];

/** The keys that the form has, in the order in which they are written. */
const FIELDS: { name: string; label: Key; list?: string[]; kind?: "number" | "list"; usual: string }[] = [
  { name: "name", label: "name", usual: "" },
  { name: "metric", label: "metric", list: METRICS, usual: "error_rate" },
  { name: "property", label: "property", usual: "" },
  { name: "sample", label: "sample", usual: "" },
  { name: "compare", label: "holds_when", list: COMPARES, usual: "> 5" },
  { name: "window", label: "window", list: WINDOWS, usual: "5m" },
  { name: "for", label: "for_time", list: ["1m", "5m", "15m"], usual: "" },
  { name: "keep_firing", label: "keep_time", list: ["1m", "5m", "15m"], usual: "" },
  { name: "recover", label: "recover", kind: "number", usual: "" },
  { name: "group_by", label: "group_by", list: COLUMNS, kind: "list", usual: "" },
  { name: "channels", label: "channels_of", kind: "list", usual: "" },
  { name: "description", label: "description", usual: "" },
];

type Fields = Record<string, string>;

/** A text of TOML on one line. */
const quoted = (text: string) => `"${text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

function textOf(fields: Fields): string {
  const lines = FIELDS.filter(({ name }) => fields[name]?.trim()).map(({ name, kind }) => {
    const value = fields[name]!.trim();
    const written = kind === "list" ? `[${value.split(",").map((one) => quoted(one.trim())).join(", ")}]` : kind === "number" ? value : quoted(value);
    return `${name} = ${written}`;
  });
  const rest = [`severity = ${quoted(fields.severity ?? "medium")}`];
  if (fields.application) rest.push(`application = ${quoted(fields.application)}`);
  if (fields.enabled === "false") rest.push("enabled = false");
  return [...lines, ...rest].join("\n");
}

/** The fields of a text that the form can have written; `undefined`: it says more. */
export function fieldsOf(text: string): Fields | undefined {
  const fields: Fields = {};
  for (const line of text.split("\n").map((one) => one.trim()).filter(Boolean)) {
    const [, name, value] = /^(\w+)\s*=\s*(.+)$/.exec(line) ?? [];
    const known = FIELDS.find((field) => field.name === name);
    if (!name || !value || (!known && !["severity", "application", "enabled"].includes(name))) return undefined;
    const texts = value.match(/"(?:[^"\\]|\\["\\])*"/g) ?? [];
    const plain = texts.map((one) => one.slice(1, -1).replace(/\\(["\\])/g, "$1"));
    const bare = value.replace(/"(?:[^"\\]|\\["\\])*"/g, "");
    if (bare === "" && plain.length === 1) fields[name] = plain[0]!;
    else if (/^\[[\s,]*\]$/.test(bare) && known?.kind === "list" && plain.every((one) => !one.includes(","))) fields[name] = plain.join(", ");
    else if (/^(true|false|-?[\d.]+)$/.test(value) && texts.length === 0) fields[name] = value;
    else return undefined;
  }
  return fields;
}

const usual = (): Fields => ({ ...Object.fromEntries(FIELDS.map(({ name, usual }) => [name, usual])), severity: "medium" });

interface Props {
  /** `undefined`: a new one. */
  rule: Said | undefined;
  zone: string | undefined;
  done: () => void;
}

export function RuleEditor({ rule, zone, done }: Props) {
  const { view } = useStage();
  const isNew = view.args.rule?.[0] === "new";
  const known = rule?.text ? fieldsOf(rule.text) : usual();
  const [fields, setFields] = useState<Fields>(known ?? usual());
  const [text, setText] = useState<string>(rule?.text?.trim() ?? textOf(usual()));
  const [isText, setIsText] = useState(!known);
  const [wrong, setWrong] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const now = isText ? text : textOf(fields);
  const trial = useTrial(now, fields.name || isText ? 500 : 0);
  const problem = wrong ?? trial.wrong;
  useEffect(() => setWrong(undefined), [now]);
  if (!isNew && !rule) return <><Back /><Notice picture="gone" title={say("missing")} /></>;
  const set = (name: string, value: string) => setFields({ ...fields, [name]: value });
  const show = (asText: boolean) => {
    if (asText) setText(textOf(fields));
    else setFields({ ...usual(), ...Object.fromEntries(FIELDS.map(({ name }) => [name, ""])), ...fieldsOf(text) });
    setIsText(asText);
  };
  const save = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const path = isNew ? `/api/v1/alert-rules?${of(view.app)}` : `/api/v1/alert-rules/${rule!.id}?${of(view.app)}`;
    ask(isNew ? "POST" : "PUT", path, { rule: now }).then(done, setWrong).finally(() => setBusy(false));
  };
  const canForm = !isText || fieldsOf(text) !== undefined;
  const isField = (name: string) => !isText && problem?.field === name;
  const isNamed = !isText && FIELDS.some(({ name }) => name === problem?.field);
  return (
    <>
      <Back />
      <form class="card panel setting editor" onSubmit={save} aria-label={isNew ? say("add_rule") : rule!.name}>
        <header class="heads">
          <h2>{isNew ? say("add_rule") : rule!.name}</h2>
          <div class="switch" role="group" aria-label={say("rule")}>
            <button type="button" aria-pressed={!isText} disabled={!canForm} onClick={() => isText && show(false)}>{say("form")}</button>
            <button type="button" aria-pressed={isText} onClick={() => !isText && show(true)}>{say("as_text")}</button>
          </div>
        </header>
        {isText ? (
          <textarea class="find text-of-rule" name="rule" aria-label={say("rule")} aria-invalid={!!problem} aria-describedby="wrong" spellcheck={false} rows={12} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        ) : (
          <div class="fields">
            {FIELDS.map(({ name, label, list, kind, usual }) => (
              <label key={name} class={name === "description" || name === "name" ? "wide" : undefined}>
                {say(label)}
                <input class="find" name={name} value={fields[name] ?? ""} list={list && `list-${name}`} required={usual !== "" || name === "name"} readOnly={name === "name" && !isNew} inputMode={kind === "number" ? "decimal" : "text"} autocomplete="off" aria-invalid={isField(name)} aria-describedby={isField(name) ? "wrong" : undefined} onInput={(event) => set(name, event.currentTarget.value)} />
                {list && <datalist id={`list-${name}`}>{list.map((one) => <option key={one} value={one} />)}</datalist>}
                {isField(name) && <span class="field-wrong" id="wrong" role="alert">{problem!.message}</span>}
              </label>
            ))}
            <fieldset class="wide choices">
              <legend>{say("severity")}</legend>
              {SEVERITIES.map((one) => (
                <label key={one}>
                  <input type="radio" name="severity" value={one} checked={(fields.severity || "medium") === one} onChange={() => set("severity", one)} />
                  <Severity of={one} />
                </label>
              ))}
            </fieldset>
          </div>
        )}
        {problem && !isNamed && <p class="warn said" id="wrong" role="alert">{problem.message || say("offline")}</p>}
        <footer class="deeds">
          <button type="submit" class="main" disabled={isBusy}>{say("save")}</button>
          <Link to={to(view, { show: ["rules"] })} kind="quiet">{say("close")}</Link>
        </footer>
      </form>
      <Trial trial={trial} zone={zone} />
    </>
  );
}

function Back() {
  const { view } = useStage();
  return <Link to={to(view, { show: ["rules"] })} kind="back">← {say("rules")}</Link>;
}

interface Tried {
  measured: Measured | undefined;
  alerts: { began: string; ended: string | null; labels: Record<string, string> }[];
  readUntil: string;
  isComplete: boolean;
  isCut: boolean;
  isBusy: boolean;
  wrong: Refused | undefined;
}

const NOTHING: Tried = { measured: undefined, alerts: [], readUntil: "", isComplete: false, isCut: false, isBusy: false, wrong: undefined };

/** Points of answers that follow each other; one that two of them have is one. */
function joined(before: Point[], after: Point[]): Point[] {
  const [last, first] = [before.at(-1), after[0]];
  if (!last || !first || last.at !== first.at) return [...before, ...after];
  const both = { at: last.at, low: Math.min(last.low, first.low), high: Math.max(last.high, first.high) };
  return [...before.slice(0, -1), both, ...after.slice(1)];
}

/** Tries a rule on the last 30 days, in parts, as soon as nobody has typed for a moment. What is typed next ends it. */
function useTrial(rule: string, wait: number): Tried {
  const { view } = useStage();
  const [tried, setTried] = useState<Tried>(NOTHING);
  useEffect(() => {
    if (!wait) return;
    const mine = new AbortController();
    setTried((before) => ({ ...before, isBusy: true, wrong: undefined }));
    const timer = setTimeout(() => void run(mine.signal).catch((error) => {
      if (mine.signal.aborted) return;
      const wrong = error instanceof Refused ? error : new Refused(0, String(error));
      setTried((before) => ({ ...(wrong.status === 400 ? NOTHING : before), isBusy: false, wrong }));
    }), wait);
    return () => {
      clearTimeout(timer);
      mine.abort();
    };
  }, [rule, wait, view.app]);
  const run = async (signal: AbortSignal) => {
    let next: Said = { rule };
    let all: Tried = { ...NOTHING, isBusy: true };
    for (let part = 0; part < 200; part += 1) {
      const said: Said = await ask<Said>("POST", `/api/v1/alert-rules/backtest?${of(view.app)}`, next, signal);
      const from = all.measured?.from ?? said.from;
      const points = joined(all.measured?.points ?? [], said.points);
      all = {
        measured: { from, until: said.until, seconds: said.seconds, points, threshold: said.threshold, recover: said.recover, unit: said.unit },
        alerts: [...all.alerts, ...said.alerts],
        readUntil: said.read_until,
        isComplete: said.is_complete,
        isCut: all.isCut || said.is_cut,
        isBusy: !said.is_complete,
        wrong: undefined,
      };
      if (signal.aborted) return;
      setTried(all);
      if (said.is_complete) return;
      next = { rule, from: said.next, until: said.until, seconds: said.seconds, going: said.going };
    }
    setTried({ ...all, isBusy: false });
  };
  return tried;
}

function Trial({ trial, zone }: { trial: Tried; zone: string | undefined }) {
  const { view } = useStage();
  const { measured, alerts, isComplete, isBusy } = trial;
  const found = alerts.length === 0 ? say("trial_none") : say("trial_n", alerts.length);
  return (
    <section class={isBusy && measured ? "card panel setting trial old" : "card panel setting trial"} aria-label={say("trial")} data-trial={isComplete ? alerts.length : ""} aria-busy={isBusy}>
      <header class="heads">
        <h2>{say("trial")}</h2>
        <p class="note" role="status">{!measured ? say("trial_waits") : isComplete ? found : say("trial_reading", dateTime(trial.readUntil, zone))}</p>
      </header>
      {measured ? (
        <TimeChart label={say("chart_of_alert", say("trial"), dateTime(measured.from, zone), dateTime(measured.until, zone))} measured={measured} spans={alerts} zone={zone} table={view.table} />
      ) : <div class="graph timed" style={{ height: "232px" }} />}
      {trial.isCut && <p class="note">{say("trial_cut")}</p>}
    </section>
  );
}
