// What a page went through, for the test: [what, when by performance.now(), whether it was looked at from then on].
// Kept by the browser under the page's path, in order, over all documents that had it.
const looked = () => !document.hidden && document.hasFocus();
const keep = (name, entry) => {
    const all = JSON.parse(localStorage.getItem(name) ?? "[]");
    localStorage.setItem(name, JSON.stringify([...all, entry]));
};
const place = location.pathname;
function mark(what, is = looked()) {
    keep(place, [what, performance.now(), is]);
}
for (const name of ["focus", "blur"]) addEventListener(name, ({ target }) => target === window && mark(name), true);
document.addEventListener("visibilitychange", () => mark(document.visibilityState));
addEventListener("pagehide", () => mark("pagehide", false));
addEventListener("pageshow", ({ persisted }) => persisted && mark("restored"));

const wrong = (what) => keep("wrong", `${place}: ${what}`);
addEventListener("error", ({ message, target }) => wrong(message ?? `no ${target.src}`), true);
addEventListener("unhandledrejection", ({ reason }) => wrong(reason));
addEventListener("securitypolicyviolation", ({ blockedURI }) => wrong(`refused ${blockedURI}`));
const complain = console.error;
console.error = (...said) => (wrong(said.join(" ")), complain.apply(console, said));

addEventListener("click", ({ pageX, pageY }) => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    keep(`${place} clicks`, `${(pageX / scrollWidth) * 100 | 0},${(pageY / scrollHeight) * 100 | 0}`);
}, true);
addEventListener("click", (event) => event.target.id === "file" && event.preventDefault());
