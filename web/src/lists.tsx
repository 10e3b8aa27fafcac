// The lists of alerts, rules, silences and channels.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import type { OneAlert } from "./alert";
import { Bar, Help, Link } from "./bar";
import { Labels, type Said, Severity, State, against, lasted, of, to, useDeed } from "./bits";
import { Remove, useLoad } from "./frame";
import { Failed, Notice, Said as Words } from "./states";
import { useKeys, useStage } from "./use";
import { address, toPage } from "./view";
import { type Learned, type Key, ago, dateTime, has, say } from "./words";

/** Its words, by language. */
export const WORDS: Record<string, Learned> = {
  en: () => import("./words/lists-en"),
  de: () => import("./words/lists-de"),
  ja: () => import("./words/lists-ja"),
  ko: () => import("./words/lists-ko"),
};

interface ListProps {
  all: Said[];
  isAll: boolean;
  mayEdit: boolean;
  rules?: Said[];
  isCut?: boolean;
  changed: () => void;
  /** Of several applications. */
  isOfSeveral?: boolean;
  /** Rules that are not judged. */
  blind?: Said[];
}

/** What cannot be judged is not listed, and nobody is told of it: that is said first. */
export function NotJudged({ all, zone }: { all: Said[]; zone: string | undefined }) {
  return (
    <>
      {all.map((one) => {
        const since = dateTime(one.since, zone);
        const why = `why_${one.reason}`;
        return (
          <div key={one.rule ?? ""} class="warn not-judged" role="status" data-reason={one.reason}>
            <Words text={`${one.rule ? say("rule_stands", one.rule, since) : say("rules_stand", since)} ${has(why) ? say(why as Key) : ""} ${one.why ?? ""}`} />
          </div>
        );
      })}
    </>
  );
}

export function AlertList({ all, isAll, mayEdit, rules, isCut, changed, isOfSeveral, blind = [] }: ListProps) {
  const { view } = useStage();
  const [failed, run] = useDeed(changed);
  const [asked, setAsked] = useState<number[]>([]);
  useKeys((key) => {
    const rows = [...document.querySelectorAll(".alert-list > li")];
    const at = rows.findIndex((one) => one.contains(document.activeElement));
    if (key === "j" || key === "k") rows.at(key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at, 0) - (at > 0 ? 1 : 0))?.querySelector<HTMLElement>("a, button")?.focus();
    else if (key === "e") rows[at]?.querySelector<HTMLElement>(".act button")?.click();
  });
  if (all.length === 0) return <NoAlerts isAll={isAll} mayEdit={mayEdit} hasRules={rules === undefined || rules.length > 0} isBlind={blind.length > 0} />;
  return (
    <>
      {failed && <p class="warn" role="alert">{failed}</p>}
      <ol class="alert-list">
        {all.map((one) => {
          // One of the installation is of no application. Whoever sees it may acknowledge it.
          const isOwn = one.application_id === "";
          const args = { alert: [String(one.id)] };
          const at = isOwn ? toPage(view, "open", args) : { ...to(view, args), app: one.application_id };
          const deed = isOwn ? `/api/v1/open-alerts/${one.id}/acknowledge` : `/api/v1/alerts/${one.id}/acknowledge?${of(one.application_id)}`;
          return (
            <li key={one.id} data-alert={one.id}>
              <Severity of={one.severity} />
              <div class="what">
                <Link to={at} kind="title">{one.rule}</Link>
                {isOfSeveral && <span class="note">{isOwn ? say("of_installation") : one.application}</span>}
                <Labels all={one.labels} />
                <span class="note value">{against(one)}</span>
              </div>
              <time dateTime={one.began} title={dateTime(one.began)}>{ago(one.began)}{one.ended && ` · ${lasted(one)}`}</time>
              <State one={one} />
              {(mayEdit || isOwn) && (
                <span class="act">
                  {["active", "recovering"].includes(one.state) && (
                    <button type="button" class="pill lined" disabled={asked.includes(one.id)} aria-label={`${say("acknowledge")}: ${one.rule}`} onClick={() => void run(deed, {}).then((is) => is && setAsked([...asked, one.id]))}>
                      {say("acknowledge")}
                    </button>
                  )}
                </span>
              )}
            </li>
          );
        })}
      </ol>
      {isCut && <p class="note">{say("trial_cut")}</p>}
    </>
  );
}

function NoAlerts({ isAll, mayEdit, hasRules, isBlind = false }: { isAll: boolean; mayEdit: boolean; hasRules: boolean; isBlind?: boolean }) {
  const { view } = useStage();
  return (
    <Notice picture={hasRules && !isBlind ? "good" : "none"} title={say(!hasRules ? "none_without_rules" : isAll ? "none_ever" : "none_open")}>
      <p>{say(hasRules ? "none_open_about" : "none_without_rules_about")}</p>
      {!hasRules && mayEdit && <Link to={to(view, { rule: ["new"] })} kind="main">{say("add_rule")}</Link>}
    </Notice>
  );
}

export function Rules({ all, mayEdit, changed, blind }: { all: Said[]; mayEdit: boolean; changed: () => void; blind: Said[] }) {
  const { view } = useStage();
  const [failed, setFailed] = useState("");
  const fail = (error: Refused) => setFailed(error.message || say("offline"));
  const path = (rule: Said) => `/api/v1/alert-rules/${rule.id}?${of(view.app)}`;
  const turn = (rule: Said) => ask("PUT", path(rule), { enabled: !rule.enabled }).then(changed, fail);
  const stands = (rule: Said) => rule.problem || (rule.enabled && blind.some((one) => one.rule === null || one.rule === rule.name));
  if (all.length === 0) return <NoAlerts isAll={false} mayEdit={mayEdit} hasRules={false} />;
  return (
    <>
      {failed && <p class="warn" role="alert">{failed}</p>}
      <ol class="alert-list rule-list">
        {all.map((rule) => (
          <li key={rule.id} data-rule={rule.id} class={rule.enabled ? undefined : "is-off"}>
            <Severity of={rule.severity ?? "low"} />
            <div class="what">
              <span class="title">{rule.name}</span>
              {stands(rule) && <span class="state active" data-state="not judged">{say("st_not_judged")}</span>}
              {rule.application && rule.application !== view.app && <span class="note">{say("of_several")}</span>}
              <span class={rule.problem ? "value bad" : "note value"}>{rule.problem ? say("not_understood", rule.problem) : rule.condition}</span>
            </div>
            <span class="note tells">{rule.channels?.length ? rule.channels.join(", ") : say("all_channels")}</span>
            <span class="act">
              <button type="button" role="switch" class="toggle" aria-checked={rule.enabled} aria-label={rule.name} disabled={!rule.may_change} onClick={() => void turn(rule)}>
                <i aria-hidden="true" />{say(rule.enabled ? "on" : "off")}
              </button>
              {rule.may_change && <Link to={to(view, { rule: [String(rule.id)] })} kind="quiet">{say("edit")}<span class="hidden">: {rule.name}</span></Link>}
              {rule.may_change && <Remove name={rule.name} word="remove_rule" run={() => ask("DELETE", path(rule)).then(changed, fail)} />}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

export function Channels() {
  const { view } = useStage();
  const [isBusy, setBusy] = useState(false);
  const [failed, setFailed] = useState("");
  const loaded = useLoad<Said>(`channels ${view.app}`, (signal) => ask<Said>("GET", `/api/v1/channels?${of(view.app)}`, undefined, signal), isBusy ? 1 : 30);
  const all: Said[] = loaded.value?.channels ?? [];
  const sends = all.some((one) => one.tried?.state === "sending");
  useEffect(() => setBusy(sends), [sends]);
  if (!loaded.value) return loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <div aria-busy="true" />;
  const test = (name: string) => {
    setFailed("");
    ask("POST", `/api/v1/channels/${encodeURIComponent(name)}/test`).then(loaded.reload, (error: Refused) => setFailed(error.message || say("offline")));
  };
  const tried = (one: Said) => (one.is_disabled ? say("is_disabled") : !one.tried ? "" : one.tried.state === "failed" ? one.tried.why : `${say(one.tried.state === "sent" ? "test_sent" : "test_sending")} · ${ago(one.tried.at)}`);
  return (
    <>
      <p class="note about">{say("channels_about")}</p>
      {!loaded.value.is_judged && <div class="warn"><Words text={say("not_judged")} /></div>}
      {failed && <p class="warn" role="alert">{failed}</p>}
      {all.length === 0 ? <Notice picture="none" title={say("no_channels")}><Words text={say("channels_of_file")} /></Notice> : (
        <ol class="alert-list channel-list">
          {all.map((one) => (
            <li key={one.name} data-channel={one.name} data-tried={one.tried?.state ?? ""}>
              <div class="what">
                <span class="title">{one.name}</span>
                <span class="note">{one.kind}</span>
                <span class={one.tried?.state === "failed" || one.is_disabled ? "value bad" : "note value"} role="status">{tried(one)}</span>
              </div>
              <span class="act">
                {loaded.value!.may_test && (
                  <button type="button" class="pill lined" disabled={one.tried?.state === "sending"} aria-label={`${say("test")}: ${one.name}`} onClick={() => test(one.name)}>{say("test")}</button>
                )}
              </span>
            </li>
          ))}
        </ol>
      )}
      {!loaded.value.may_test && all.length > 0 && <p class="note">{say("owners_only")}</p>}
    </>
  );
}

interface OpenProps {
  /** What shows one alert, once it is loaded. */
  One: typeof OneAlert | undefined;
  /** Whether that is needed. */
  need: (is: boolean) => void;
  keys: [string, string][];
}

/** Open alerts of all applications; a link in a message leads to one of them. */
export function Open({ One, need, keys }: OpenProps) {
  const { view, go } = useStage();
  const [help, setHelp] = useState(false);
  const id = view.args.alert?.[0];
  const loaded = useLoad<Said[]>(`open ${id ?? ""}`, (signal) => ask<Said>("GET", `/api/v1/open-alerts${id ? `?id=${encodeURIComponent(id)}` : ""}`, undefined, signal).then((all) => all.alerts), id ? 0 : 5);
  const found = id ? loaded.value?.[0] : undefined;
  // One of the installation has no page of an application: it is shown here.
  const one = found?.application_id ? found : undefined;
  const isOwn = !!found && !one;
  useEffect(() => need(isOwn), [isOwn]);
  const isListed = !id || found;
  useEffect(() => {
    document.title = `${say("alerts")} · alt`;
    if (one) go({ ...to(view, { alert: [String(one.id)] }), app: one.application_id }, true);
  }, [one]);
  useKeys((key) => {
    if (key === "?") setHelp(true);
    else if (key === "a" || key === "Escape") go(toPage(view, "all"));
  });
  return (
    <>
      <Bar name={say("to_open")} help={() => setHelp(true)} />
      <main id="numbers">
        {loaded.error && !loaded.value ? <Failed error={loaded.error} retry={loaded.reload} /> : !loaded.value || one || (isOwn && !One) ? <section class="card panel rows" aria-busy="true" /> : !isListed ? (
          <Notice picture="gone" title={say("unknown_alert")}><p><a class="main" href={address({ ...toPage(view, "open") })}>{say("alerts")}</a></p></Notice>
        ) : isOwn && One ? <One key={id} id={id!} zone={undefined} mayEdit isOwn changed={loaded.reload} /> : (
          <section class="card panel rows alerts" aria-label={say("to_open")}>
            <h2 class="hidden">{say("to_open")}</h2>
            <AlertList all={loaded.value} isAll={false} mayEdit={false} changed={loaded.reload} isOfSeveral />
          </section>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} keys={keys} />}
    </>
  );
}
