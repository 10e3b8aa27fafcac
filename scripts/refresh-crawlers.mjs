// Called by scripts/refresh-crawlers with the folder of the unpacked packages.
import { readFileSync, writeFileSync, existsSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const work = process.argv[2];
const data = 'crates/line/src/enrich/data';
const fixtures = 'tests/it/data/agents';
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
const version = (name) => json(`${work}/${name}/package.json`).version;
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const sorted = (iterable) => [...new Set(iterable)].sort(byText);
const own = json(`${data}/own.json`);
const ai = json(`${data}/ai-agents.json`);
const problems = [];
const placed = new Set();

// A pattern without operators is plain text, which is cheaper to look for and easier to read.
function plain(pattern) {
    const text = pattern.replace(/\\([/.!+()\-|])/g, '\u0001$1');
    if (/(^|[^\u0001])[\\^$.|?*+()[\]{}]/.test(text)) return null;
    return text.replaceAll('\u0001', '');
}

const classes = {};
for (const name of ['ai_user', 'ai_bot', 'monitor', 'headless', 'prefetch', 'bot']) {
    classes[name] = {
        names: [], name_patterns: [], words: [], word_patterns: [], weak_words: [], weak_patterns: [],
        bare_patterns: [],
    };
    for (const list of Object.keys(classes[name])) {
        classes[name][list].push(...(own.class[name]?.[list] ?? []));
    }
}
// ai.robots.txt: names of crawlers and agents of language models.
for (const [list, className] of [['users', 'ai_user'], ['crawlers', 'ai_bot']]) {
    classes[className].names.push(...ai[list]);
    for (const name of ai.plain[list]) classes[className].name_patterns.push(`(?:^|compatible; ?)${name}(?:[/ ;)]|$)`);
}
const harmless = [...own.harmless];
const [weak, bare] = [new Set(own.weak), new Set(own.bare)];
const taken = { names: new Set(), words: new Set() };
for (const lists of Object.values(classes)) {
    for (const of of ['names', 'words']) {
        for (const entry of lists[of]) taken[of].add(entry.toLowerCase());
    }
    for (const entry of lists.word_patterns) taken.words.add(entry.toLowerCase());
}

function add(className, of, pattern) {
    const text = plain(pattern);
    const key = (text ?? pattern).toLowerCase();
    if (of === 'names' ? taken.names.has(key) : taken.words.has(key)) return; // ours says otherwise
    const lists = classes[className];
    placed.add(pattern);
    if (bare.has(pattern)) lists.bare_patterns.push(pattern);
    else if (weak.has(pattern)) lists[text !== null ? 'weak_words' : 'weak_patterns'].push(text ?? pattern);
    else if (text !== null) lists[of].push(text);
    else if (/\(\?(<?[!=])/.test(pattern)) problems.push(`${pattern}: looks around; give own.json a replacement`);
    else lists[of === 'names' ? 'name_patterns' : 'word_patterns'].push(pattern.replaceAll('\\/', '/'));
}

// crawler-user-agents: names of crawlers, as they write themselves, with tags.
const crawlers = json(`${work}/crawler-user-agents/crawler-user-agents.json`);
for (const { pattern, tags = [] } of crawlers) {
    if (own.drop[pattern] || own.narrow[pattern]) continue;
    const className = /[a-z]-?User$/.test(pattern) && tags.includes('ai-crawler') ? 'ai_user'
        : pattern in ai.not ? 'bot'
        : tags.includes('ai-crawler') ? 'ai_bot'
        : tags.includes('browser-automation') ? 'headless'
        : tags.includes('monitoring') ? 'monitor'
        : 'bot';
    add(className, 'names', pattern);
}

// isbot: words and shapes that no browser has, whatever their case.
const { list } = await import(`${work}/isbot/index.mjs`);
for (const pattern of list) {
    if (own.drop[pattern]) continue;
    const replaced = own.replace[pattern];
    harmless.push(...(replaced?.harmless ?? []));
    add('bot', 'words', replaced?.pattern ?? pattern);
}

for (const pattern of [...weak, ...bare]) {
    if (!placed.has(pattern)) problems.push(`${pattern}: own.json has it in weak or bare, and no list publishes it`);
}
if (problems.length) {
    console.error(problems.join('\n'));
    process.exit(1);
}
for (const lists of Object.values(classes)) {
    for (const of of Object.keys(lists)) lists[of] = sorted(lists[of]);
}
const sources = [
    { name: 'crawler-user-agents', version: version('crawler-user-agents'), licence: 'MIT' },
    { name: 'isbot', version: version('isbot'), licence: 'Unlicense' },
    ai.source,
];
writeFileSync(`${data}/crawlers.json`, JSON.stringify({ sources, harmless: sorted(harmless), people: own.people, classes }, null, 1) + '\n');

// What the tests measure with.
const lines = (texts) => sorted(texts.filter((t) => t && !/[\n\r]/.test(t))).join('\n') + '\n';
writeFileSync(`${fixtures}/crawlers.txt`, lines(crawlers.flatMap((c) => (own.drop[c.pattern] ? [] : c.instances))));
// Seen among the browsers, and none.
const noBrowser = /ArchiveBox|useragent\.random|splash Version|^iphone 6 plus$/;
const browsers = ['new', '2023', '2021'].flatMap((year) => {
    const packed = `${work}/user-agents-${year}/src/user-agents.json.gz`;
    const unpacked = `${work}/user-agents-${year}/dist/user-agents.json`;
    const all = existsSync(packed) ? JSON.parse(gunzipSync(readFileSync(packed))) : json(unpacked);
    return all.map((entry) => entry.userAgent);
});
browsers.push(...json(`${work}/top-user-agents/src/index.json`));
writeFileSync(`${fixtures}/browsers.txt`, lines(browsers.filter((agent) => !noBrowser.test(agent))));

const versions = ['user-agents-new', 'user-agents-2023', 'user-agents-2021', 'top-user-agents'].map(
    (name) => `${name.replace(/-(new|20..)$/, '')} ${version(name)}`,
);
console.log([...sources.map((s) => `${s.name} ${s.version}`), ...versions].join(', '));
