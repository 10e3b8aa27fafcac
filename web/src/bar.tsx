// The line on top: whose numbers these are, who is there now, and what belongs to the person who looks.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Application, applications, ask } from "./api";
import { Item, Menu } from "./picker";
import { useEvery, useStage } from "./use";
import { PAGES, SHARED, type View, address, toPage } from "./view";
import { HELP_WORDS, type Key, LANGUAGES, keep, language, learn, say, setTheme, theme } from "./words";

let known: Promise<Application[]> | undefined;
/** The applications, asked once. */
export const allApplications = () => (known ??= applications().catch((error) => {
  known = undefined;
  throw error;
}));

export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="9" />
    <path d="M8.500 22.500v-4M14 22.500v-9M19.500 22.500v-6" />
    <path class="last" d="M25 22.500V9" />
  </svg>
);

export function Link({ to, kind, chosen, children }: { to: View; kind?: string; chosen?: boolean; children: ComponentChildren }) {
  const { go } = useStage();
  return (
    <a
      class={kind}
      href={address(to)}
      aria-current={chosen ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

function Applications({ name }: { name: string }) {
  const { view } = useStage();
  const [all, setAll] = useState<Application[]>([]);
  useEffect(() => void allApplications().then(setAll, () => {}), []);
  return (
    <Menu label={<><b>{name}</b> <Down /></>} name={`${say("choose")}: ${name}`} kind="applications">
      {(close) => (
        <>
          <Item to={{ ...toPage(view, "all"), filters: [] }} close={close}>
            {say("all")}
          </Item>
          {all.slice(0, 50).map((one) => (
            <Item key={one.id} to={{ ...view, app: one.id, filters: [], args: {} }} close={close} chosen={one.id === view.app}>
              {one.name}
            </Item>
          ))}
        </>
      )}
    </Menu>
  );
}

const Down = () => (
  <svg class="glyph small" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M4 6.500l4 4 4-4" />
  </svg>
);

export function Bar({ name, children, help }: { name: string; children?: ComponentChildren; help: () => void }) {
  const { view } = useStage();
  const isAlone = view.share !== "" || view.page === "sign-in" || view.wall;
  return (
    <>
    <header class="bar">
      <a class="skip" href="#numbers">
        {say("skip")}
      </a>
      {isAlone ? <Mark /> : <Link to={{ ...toPage(view, "all"), filters: [] }} kind="home"><Mark /><span class="hidden">{say("all")}</span></Link>}
      {["all", "system", "open", "sign-in"].includes(view.page) ? <h1>{name}</h1> : isAlone ? <h1>{name}</h1> : <><h1 class="hidden">{name}</h1><Applications name={name} /></>}
      {children}
      <Menu label={<Dots />} name={say("menu")} kind="right more">
        {(close) => (
          <>
            {!view.share && <Item to={{ ...toPage(view, "open"), filters: [] }} close={close}>{say("to_open")}</Item>}
            {!view.share && <Item to={{ ...toPage(view, "system"), filters: [] }} close={close}>{say("to_system")}</Item>}
            {["statistics", "live"].includes(view.page) && <Item to={{ ...view, wall: true }} close={close} hint="v">{say("to_wall")}</Item>}
            <button
              type="button"
              onClick={() => {
                close();
                help();
              }}
            >
              {say("help")}
              <kbd>?</kbd>
            </button>
            <Choice label={say("theme")} value={theme()} all={[["", say("theme_auto")], ["light", say("theme_light")], ["dark", say("theme_dark")]]} choose={setTheme} />
            <Choice
              label={say("language_of")}
              value={language}
              all={Object.entries(LANGUAGES)}
              choose={(tag) => {
                keep("alt.language", tag);
                location.reload();
              }}
            />
            {!isAlone && (
              <button type="button" onClick={() => void ask("DELETE", "/api/v1/session").catch(() => {}).then(() => location.assign("/sign-in"))}>
                {say("sign_out")}
              </button>
            )}
          </>
        )}
      </Menu>
    </header>
    {view.page in PAGES && !view.wall && <Pages />}
    </>
  );
}

/** How many alerts are open, of the application that was asked last. */
let open = { app: "", count: 0 };

/** How many alerts of the application are open; 0 as well where one may not know. */
function useOpen(app: string): number {
  const [count, setCount] = useState(open.app === app ? open.count : 0);
  const look = () => {
    if (!app) return;
    const path = `/api/v1/alerts?limit=1&application_id=${encodeURIComponent(app)}`;
    void ask<{ open: Record<string, number> }>("GET", path).then(
      (said) => {
        open = { app, count: Object.values(said.open).reduce((all, one) => all + one, 0) };
        setCount(open.count);
      },
      () => {}, // The page itself says what is wrong.
    );
  };
  useEffect(look, [app]);
  useEvery(30, look);
  return count;
}

/** The pages of an application. */
function Pages() {
  const { view } = useStage();
  const count = useOpen(view.share ? "" : view.app);
  const nav = useRef<HTMLElement>(null);
  // On a telephone, the chosen one may be out of sight.
  useEffect(() => void (nav.current!.scrollLeft = (nav.current!.querySelector<HTMLElement>("[aria-current]")?.offsetLeft ?? 0) - 120), [view.page]);
  const all = Object.keys(PAGES).filter((page) => !view.share || SHARED.includes(page)) as View["page"][];
  return (
    <nav class="pages" aria-label={say("pages")} ref={nav}>
      {all.map((page) => (
        <Link key={page} to={toPage(view, page)} chosen={page === view.page}>
          {say(`to_${page}` as Key)}
          {page === "alerts" && count > 0 && <b class="badge" aria-label={say("n_open", count)} role="img">{count > 99 ? "99+" : count}</b>}
        </Link>
      ))}
    </nav>
  );
}

/** The list of the keys. It is loaded where somebody asks for it. */
export function Help(props: { close: () => void; keys?: [string, string][] | undefined }) {
  const [list, setList] = useState<typeof import("./help")>();
  useEffect(() => void Promise.all([import("./help"), learn(HELP_WORDS[language]!)]).then(([loaded]) => setList(() => loaded), props.close), []);
  return list ? <list.Help {...props} /> : null;
}

const Dots = () => (
  <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h11" />
  </svg>
);

function Choice({ label, value, all, choose }: { label: string; value: string; all: [string, string][]; choose: (value: string) => void }) {
  return (
    <label class="choice">
      {label}
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {all.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
