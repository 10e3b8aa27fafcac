// The silences of an application: those that are, and a form that says what a new one would be about. What became of its alerts
// as a whole is a part of the same file.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Labels, type Said, Span, of } from "./bits";
import { shownAt } from "./days";
import { Remove, useLoad } from "./frame";
import { Failed, Notice } from "./states";
import { useStage } from "./use";
import { type Learned, dateTime, say } from "./words";

/** Its words, by language. */
export const WORDS: Record<string, Learned> = {
  en: () => import("./words/silences-en"),
  de: () => import("./words/silences-de"),
  ja: () => import("./words/silences-ja"),
  ko: () => import("./words/silences-ko"),
};

export { Figures } from "./figures";

/** In place of minutes: until its alerts are over, or each week. */
const UNTIL_OVER = 0;
const WEEKLY = -1;

/** What is written to begin with. */
const NEW = { rule: "*", minutes: 240, weekly: "mon-fri 22:00-06:00", from: "", note: "" };

/** The moment at which the clock of a zone shows a time (`2026-01-31T12:00`). */
function momentOf(shown: string, zone: string | undefined): Date {
  const wanted = new Date(`${shown}Z`).getTime();
  const off = (at: number) => shownAt(new Date(at), zone).getTime() - at;
  const near = wanted - off(wanted);
  return new Date(wanted - off(near));
}

/** The names of so many alerts are shown. */
const NAMED = 3;

export function Silences({ rules, mayEdit, zone }: { rules: Said[]; mayEdit: boolean; zone: string | undefined }) {
  const { view } = useStage();
  const loaded = useLoad<Said[]>(`silences ${view.app}`, (signal) => ask<Said>("GET", `/api/v1/silences?${of(view.app)}`, undefined, signal).then((all) => all.silences), 15);
  const [failed, setFailed] = useState("");
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  if (!loaded.value) return loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <div aria-busy="true" />;
  const ends = (one: Said) => {
    if (one.until_resolved) return say("until_over");
    if (one.weekly) return `${one.weekly} · ${one.zone}`;
    const until = `${say("until_time")} ${dateTime(one.until, zone)}`;
    return new Date(one.from) > new Date() ? `${say("from_time")} ${dateTime(one.from, zone)} · ${until}` : until;
  };
  return (
    <>
      <p class="note about">{say("silences_about")}</p>
      {mayEdit && <Form rules={rules} zone={zone} made={loaded.reload} />}
      {failed && <p class="warn" role="alert">{failed}</p>}
      {loaded.value.length === 0 ? <Notice picture="none" title={say("no_silences")} /> : (
        <ol class="alert-list silence-list">
          {loaded.value.map((one) => (
            <li key={one.id} data-silence={one.id}>
              <div class="what">
                <span class="title">{one.rule === "*" ? say("every_rule") : one.rule}</span>
                {!one.is_own && <span class="note">{say("of_several")}</span>}
                <Labels all={one.labels} />
                <span class="note value">{[one.by, one.note].filter(Boolean).join(" · ")}</span>
              </div>
              <time dateTime={one.until}>{ends(one)}</time>
              <span class="act">
                {mayEdit && one.is_own && <Remove name={one.rule} word="end_it" run={() => ask("DELETE", `/api/v1/silences/${one.id}?${of(view.app)}`).then(loaded.reload, fail)} />}
              </span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function Form({ rules, zone, made }: { rules: Said[]; zone: string | undefined; made: () => void }) {
  const { view } = useStage();
  const [form, setForm] = useState(NEW);
  const [said, setSaid] = useState<{ alerts?: Said[]; error?: string }>({});
  const set = (part: Partial<typeof NEW>) => setForm({ ...form, ...part });
  const { rule, minutes, weekly, from, note } = form;
  const isLater = from && minutes !== UNTIL_OVER;
  const body = {
    rule,
    ...(minutes === UNTIL_OVER ? { until_resolved: true } : minutes === WEEKLY ? { weekly, zone: zone ?? "UTC" } : { minutes }),
    ...(isLater && { from: momentOf(from, zone).toISOString() }),
    ...(note && { note }),
  };
  const text = JSON.stringify(body);
  // While one chooses, it is shown what that would be about.
  useEffect(() => {
    const mine = new AbortController();
    const look = () =>
      ask<Said>("POST", `/api/v1/silences/preview?${of(view.app)}`, JSON.parse(text), mine.signal).then(
        (all) => !mine.signal.aborted && setSaid({ alerts: all.alerts }),
        (error: Refused) => !mine.signal.aborted && setSaid({ error: error.message || say("offline") }),
      );
    const timer = setTimeout(look, 250);
    return () => {
      clearTimeout(timer);
      mine.abort();
    };
  }, [text]);
  const submit = (event: Event) => {
    event.preventDefault();
    ask("POST", `/api/v1/silences?${of(view.app)}`, body).then(
      () => {
        setForm(NEW);
        made();
      },
      (error: Refused) => setSaid({ error: error.message || say("offline") }),
    );
  };
  const names = [...new Set(said.alerts?.map((one) => one.rule as string))];
  const listed = names.slice(0, NAMED).join(", ") + (names.length > NAMED ? " …" : "");
  return (
    <form class="add silencing" onSubmit={submit}>
      <label>
        {say("rule")}
        <select name="rule" value={rule} onChange={(event) => set({ rule: event.currentTarget.value })}>
          <option value="*">{say("every_rule")}</option>
          {rules.map((one) => <option key={one.id} value={one.name}>{one.name}</option>)}
        </select>
      </label>
      <label>{say("for_span")}<Span label={say("for_span")} value={minutes} choose={(value) => set({ minutes: value })} more={[[UNTIL_OVER, "until_over"], [WEEKLY, "each_week"]]} /></label>
      {minutes === WEEKLY && <label>{say("windows", zone ?? "UTC")}<input name="weekly" value={weekly} maxLength={1000} autocomplete="off" spellcheck={false} onInput={(event) => set({ weekly: event.currentTarget.value })} /></label>}
      {minutes !== UNTIL_OVER && <label>{say("begins")}<input name="from" type="datetime-local" value={from} onInput={(event) => set({ from: event.currentTarget.value })} /></label>}
      <label>{say("note")}<input name="note" value={note} maxLength={1000} placeholder={say("optional")} autocomplete="off" onInput={(event) => set({ note: event.currentTarget.value })} /></label>
      <button type="submit" class="pill lined">{say("add_silence")}</button>
      <p class={said.error ? "value bad" : "note"} role="status" data-about={said.alerts?.length}>
        {said.error ?? (said.alerts ? `${said.alerts.length ? say("would_silence", said.alerts.length) : say("would_silence_none")} ${listed}` : "")}
      </p>
    </form>
  );
}
