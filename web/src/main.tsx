// The dashboard: the address says what is looked at.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { All } from "./all";
import { Live } from "./live";
import { SignIn } from "./signin";
import { Statistics } from "./statistics";
import { type Stage, StageContext } from "./use";
import { type View, address, read } from "./view";
import { language, setTheme, theme } from "./words";

function App() {
  const [view, setView] = useState<View>(() => read(location));
  useEffect(() => {
    const back = () => setView(read(location));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const stage = useMemo<Stage>(
    () => ({
      view,
      go: (to, replace) => {
        const target = address(to);
        if (target !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", target);
        if (to.page !== view.page || to.app !== view.app) scrollTo(0, 0);
        setView(to);
      },
    }),
    [view],
  );
  const Page = { all: All, statistics: Statistics, live: Live, "sign-in": SignIn }[view.page];
  return (
    <StageContext.Provider value={stage}>
      <Page key={`${view.page} ${view.app}`} />
    </StageContext.Provider>
  );
}

document.documentElement.lang = language;
setTheme(theme());
render(<App />, document.getElementById("app")!);
