// Who comes back: people by the day, week or month that they came first in, and how many of them were there in each since.
import { asked, between, today } from "./days";
import { Frame, askOf, useApp, useLoad } from "./frame";
import { useStage } from "./use";
import { write } from "./view";
import { type Key, type Learned, axisName, clock, compact, has, language, learn, number, percent, range, say } from "./words";

const WORDS: Record<string, Learned> = {
  en: () => import("./words/retention-en"),
  de: () => import("./words/retention-de"),
  ja: () => import("./words/retention-ja"),
  ko: () => import("./words/retention-ko"),
};

/** The page, once its words are there. */
export const load = () => learn(WORDS[language]!).then(() => RetentionPage);

const BYS = ["day", "week", "month"] as const;
type By = (typeof BYS)[number];

interface Days {
  from: string;
  until: string;
  is_whole: boolean;
}
type Count = number | string;

interface Told {
  application: { name: string; time_zone: string };
  period: { from: string; until: string };
  people: Count;
  periods: (Days & { people: Count; new: Count; returning: Count; churned: Count })[];
  cohorts: (Days & { size: Count; people: Count[] })[];
  as_of: string | null;
  is_partial: boolean;
  notes: string[];
}

/** What has to be known of the numbers of people. */
const OF_PEOPLE: Record<string, Key> = { people: "people_unknown", user_keys: "keys_replaced" };

/** How many days a period has that the API is asked for. */
function daysOf(text: string, zone: string | undefined): number {
  const [from, until] = text.split("..");
  if (from && until) return between(from, until);
  return text === "today" ? 1 : text === "month" ? Number(today(zone).slice(8)) : Number.parseInt(text, 10) || 30;
}

/** What fits so many days: no more than a table has room for. */
const fitting = (days: number): By => (days <= 14 ? "day" : days <= 190 ? "week" : "month");

/** Shades of one hue, from what few do to what most do: lighter or darker, whatever colours somebody sees; text is readable on each. */
const LIMITS = [0.05, 0.1, 0.2, 0.4];
const SHADES = [8, 18, 29, 40, 52];
// Here, and not in the style of all pages, which none of them needs.
const CELL = { minWidth: "56px", padding: "4px 8px", whiteSpace: "nowrap", border: "2px solid var(--card)", borderRadius: "8px", color: "var(--text)", textAlign: "center" };
const STUCK = { position: "sticky", left: 0, background: "var(--card)" };
/** Of a period that is not whole: without a shade, which would look like a fall. */
const PART = { ...CELL, color: "var(--soft)", outline: "1px dashed var(--edge)", outlineOffset: "-3px" };
const shade = (part: number) => ({
  ...CELL,
  background: part > 0 ? `color-mix(in oklab, var(--accent) ${SHADES[LIMITS.filter((limit) => part >= limit).length]!}%, var(--card))` : "var(--ground)",
});

const nameOfPeriod = (by: By, of: Days) => axisName(by === "month" ? of.from.slice(0, 7) : of.from, false);

export function RetentionPage() {
  const { view, go } = useStage();
  const app = useApp();
  const isReady = app.zone !== "" || view.share !== "";
  const period = asked(view.period, app.zone || undefined);
  const usual = fitting(daysOf(period, app.zone || undefined));
  const by = BYS.find((one) => one === view.args.by?.[0]) ?? usual;
  const query: [string, string][] = [["period", period], ["by", by], ...view.filters.map((one): [string, string] => ["filter", write(one)])];
  const key = isReady ? JSON.stringify([view.app, view.share, query]) : "";
  const loaded = useLoad<Told>(key, (signal) => askOf(view, "/api/v1/retention", query, signal), 60);
  const told = key ? loaded.value : undefined;
  return (
    <Frame app={told ? { ...app, name: told.application.name } : app} title={say("to_retention")} has={["period", "filter"]} loaded={key ? loaded : undefined}>
      <section class={loaded.isOld ? "card panel flow old" : "card panel flow"} aria-busy={!told || loaded.isOld} data-retention>
        <header class="under-title">
          <h2>{told ? say("came_back", range(told.period.from, told.period.until)) : say("to_retention")}</h2>
          <div class="switch">
            <button type="button" aria-pressed={view.table} onClick={() => go({ ...view, table: !view.table }, true)}>
              {say("as_numbers")}
            </button>
          </div>
        </header>
        <p class="bar-line">
          <label class="inline">
            {say("per")}
            <select value={by} onChange={(event) => go({ ...view, args: { by: [event.currentTarget.value] } }, true)}>
              {BYS.map((one) => (
                <option key={one} value={one}>
                  {say(`per_${one}` as Key)}
                </option>
              ))}
            </select>
          </label>
        </p>
        {told && (Number(told.people) ? <Grid told={told} by={by} isCounted={view.table} /> : view.filters.length ? <p class="nothing">{say("nobody_fits")}</p> : <Nobody notes={told.notes} />)}
        {told && (
          <ul class="notes">
            {told.as_of && <li>{say("as_of", clock(told.as_of, told.application.time_zone))}</li>}
            {told.is_partial && <li class="part">{say("days_without_segments")}</li>}
            {told.notes.map((note) => (
              <li key={note} class={note in OF_PEOPLE ? "part" : undefined}>
                {note in OF_PEOPLE ? say(OF_PEOPLE[note]!) : has(note) ? say(note) : note}
              </li>
            ))}
            {Number(told.people) > 0 && told.cohorts.some((one) => !one.is_whole) && <li>* {say("not_whole")}</li>}
            {Number(told.people) > 0 && <li>{say("who_counts")}</li>}
          </ul>
        )}
      </section>
    </Frame>
  );
}

/** What a site has to do that nobody is known of. */
function Nobody({ notes }: { notes: string[] }) {
  return (
    <div class="notice nobody">
      <h2>{say("nobody")}</h2>
      {notes.includes("people") ? null : (
        <>
          <p>{say("nobody_about")}</p>
          <pre tabIndex={0} style={{ margin: "12px 0", fontSize: "15px" }}>{'alt({ user_id: "u7" })'}</pre>
          <p class="note">{say("nobody_how")}</p>
        </>
      )}
    </div>
  );
}

/** Whoever shows a year sees no lines from before anybody was known. */
const known = (told: Told) => {
  const first = told.periods.findIndex((one) => Number(one.people) > 0);
  return { cohorts: told.cohorts.slice(first), periods: told.periods.slice(first) };
};

const Head = ({ by, of }: { by: By; of: Days }) => (
  <th scope="row" style={STUCK} title={range(of.from, of.until)}>
    {nameOfPeriod(by, of)}
    {of.is_whole ? "" : " *"}
  </th>
);

function Grid({ told, by, isCounted }: { told: Told; by: By; isCounted: boolean }) {
  const { cohorts, periods } = known(told);
  const after = cohorts.slice(1).map((_, n) => n + 1);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={say("to_retention")}>
        <table class="numbers" data-cohorts>
          <caption class="hidden">{say("grid_about")}</caption>
          <thead>
            <tr>
              <th scope="col">{say(`per_${by}` as Key)}</th>
              <th scope="col">{say("n_new")}</th>
              {after.map((n) => (
                <th key={n} scope="col" style={{ textAlign: "center" }} abbr={say(`after_${by}` as Key, n)}>
                  +{number(n)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cohorts.map((cohort, first) => {
              const size = Number(cohort.size);
              return (
                <tr key={cohort.from} data-cohort={`${cohort.from} ${size}`}>
                  <Head by={by} of={cohort} />
                  <td>{compact(size)}</td>
                  {after.map((n) => {
                    const came = cohort.people[n];
                    if (came === undefined) return <td key={n} />;
                    const part = size ? Number(came) / size : 0;
                    const isWhole = periods[first + n]!.is_whole;
                    return (
                      <td key={n} style={isWhole ? shade(part) : PART} title={say("of_cohort", number(Number(came)), number(size))} data-came={came} data-whole={isWhole}>
                        {!size ? "–" : isCounted ? compact(Number(came)) : percent(part)}
                        {isWhole ? "" : " *"}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="bar-line note" aria-hidden="true" style={{ flexWrap: "wrap", gap: "4px", margin: "12px 0" }}>
        {[0, ...LIMITS].map((limit, n) => (
          <span key={limit} style={shade(limit || 0.01)}>
            {n ? `≥ ${percent(limit)}` : `< ${percent(LIMITS[0]!)}`}
          </span>
        ))}
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label={say("n_people")}>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">{say(`per_${by}` as Key)}</th>
              {(["n_people", "n_new", "n_returning", "n_churned"] as const).map((name) => (
                <th key={name} scope="col">
                  {say(name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {periods.map((one) => (
              <tr key={one.from}>
                <Head by={by} of={one} />
                {[one.people, one.new, one.returning].map((count, n) => (
                  <td key={n}>{compact(Number(count))}</td>
                ))}
                {/* Whoever is not there yet may still come. */}
                <td data-gone>{one.is_whole ? compact(Number(one.churned)) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
