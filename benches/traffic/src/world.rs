//! What there is: sites with their pages, user agents, places that visitors come from. Made once, by the seed.

use crate::random::{Random, Zipf};
use crate::text::{address, encoded};

/// Applications.
pub const SITES: u16 = 50;

/// User agents that many visitors share.
const AGENTS: u16 = 400;

/// A page of a site, ready to be written.
#[derive(Debug)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// The same as a parameter's value.
    pub url_encoded: String,
    /// Path and query.
    pub target: String,
    /// As a parameter's value.
    pub title_encoded: String,
}

/// An application.
#[derive(Debug)]
pub struct Site {
    /// Its key.
    pub key: String,
    /// The host of its pages.
    pub host: String,
    /// Where its beacons go.
    pub collector: &'static str,
    /// What its visitors' browsers prefer.
    pub languages: &'static [&'static str],
    /// Whether its script tells screen and time zone.
    pub is_full: bool,
    /// Its visitors' time zone, as a parameter's value.
    pub time_zone: String,
    /// The same, as it is.
    pub zone: &'static str,
    /// Its pages, and how often each is seen.
    pub pages: Vec<Page>,
    /// Which of them is seen.
    pub seen: Zipf,
    /// What is clicked: element and text, as parameters.
    pub clicks: Vec<String>,
    /// Links to other hosts, as parameters.
    pub links: Vec<String>,
    /// What is searched for, as a parameter's value.
    pub terms: Vec<String>,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    /// The applications.
    pub sites: Vec<Site>,
    /// Which of them is visited.
    visited: Zipf,
    /// Percentage of the visits that are of the first one, besides.
    pub largest: u8,
    /// User agents of people.
    pub agents: Vec<String>,
    /// Which of them is used.
    pub used: Zipf,
    /// Where visitors come from, as a parameter's value; empty: nobody knows.
    pub referrers: Vec<String>,
    /// Which of them.
    pub referred: Zipf,
}

struct Language {
    languages: &'static [&'static str],
    zone: &'static str,
    sections: &'static [&'static str],
    words: &'static [&'static str],
    buttons: &'static [&'static str],
}

const LANGUAGES: [Language; 8] = [
    Language {
        languages: &[
            "en-US,en;q=0.9",
            "en-US,en;q=0.5",
            "en-GB,en;q=0.9,en-US;q=0.8",
            "es-US,es;q=0.9,en;q=0.8",
        ],
        zone: "America/New_York",
        sections: &["products", "blog", "help", "category"],
        words: &[
            "red", "running", "shoes", "garden", "chair", "light", "wireless", "guide", "best", "summer",
            "kit", "oak",
        ],
        buttons: &["Add to cart", "Read more", "Subscribe", "Next", "Show all reviews"],
    },
    Language {
        languages: &["de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de,en-US;q=0.7,en;q=0.3", "de-AT,de;q=0.9"],
        zone: "Europe/Berlin",
        sections: &["produkte", "ratgeber", "hilfe", "kategorie"],
        words: &[
            "Schuhe", "für", "Büro", "Möbel", "günstig", "Garten", "Leuchte", "Größe", "Zubehör", "Küche",
            "Werkzeug",
        ],
        buttons: &["In den Warenkorb", "Weiter lesen", "Merken", "Größe wählen", "Alle akzeptieren"],
    },
    Language {
        languages: &[
            "en-US,en;q=0.9",
            "en-IN,en-GB;q=0.9,en-US;q=0.8,en;q=0.7,hi;q=0.6",
            "en-CA,en;q=0.9,fr-CA;q=0.8",
        ],
        zone: "America/Los_Angeles",
        sections: &["docs", "pricing", "changelog", "integrations"],
        words: &[
            "api",
            "webhooks",
            "teams",
            "billing",
            "export",
            "security",
            "release",
            "limits",
            "quickstart",
            "sso",
        ],
        buttons: &["Start free trial", "Copy", "Book a demo", "Sign in"],
    },
    Language {
        languages: &["fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7", "fr-FR,fr;q=0.8,en-US;q=0.5,en;q=0.3"],
        zone: "Europe/Paris",
        sections: &["produits", "actualités", "aide", "catégorie"],
        words: &[
            "été",
            "chaussures",
            "maison",
            "crème",
            "élégant",
            "jardin",
            "fenêtre",
            "garçon",
            "naïve",
            "œuvre",
        ],
        buttons: &["Ajouter au panier", "Voir les détails", "Suivant", "J’accepte"],
    },
    Language {
        languages: &["ja,en-US;q=0.9,en;q=0.8", "ja-JP", "ja"],
        zone: "Asia/Tokyo",
        sections: &["items", "news", "help", "category"],
        words: &["東京", "靴", "春の新作", "おすすめ", "セール", "椅子", "ガイド", "限定"],
        buttons: &["カートに入れる", "もっと見る", "次へ"],
    },
    Language {
        languages: &["pl-PL,pl;q=0.9,en-US;q=0.8,en;q=0.7", "cs,sk;q=0.9,en;q=0.8"],
        zone: "Europe/Warsaw",
        sections: &["produkty", "poradnik", "pomoc", "kategorie"],
        words: &["buty", "wiosenne", "żółte", "łóżko", "źródło", "ogród", "światło", "kuchnia"],
        buttons: &["Do koszyka", "Więcej", "Dalej"],
    },
    Language {
        languages: &["pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", "es-ES,es;q=0.9", "es-MX,es;q=0.9,en;q=0.8"],
        zone: "America/Sao_Paulo",
        sections: &["produtos", "notícias", "ajuda", "promoções"],
        words: &["verão", "sapatos", "coração", "casa", "promoção", "jardim", "luz", "cozinha"],
        buttons: &["Comprar", "Leia mais", "Próximo"],
    },
    Language {
        languages: &["ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "uk,ru;q=0.8,en-US;q=0.6"],
        zone: "Europe/Kyiv",
        sections: &["tovary", "blog", "pomosch", "katalog"],
        words: &["обувь", "дом", "весна", "сад", "свет", "кухня", "скидка"],
        buttons: &["В корзину", "Далее", "Подробнее"],
    },
];

impl World {
    /// The same seed makes the same.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let sites = (0..SITES).map(|n| site(n, &mut random)).collect();
        let referrers = referrers(&mut random);
        let count = u16::try_from(referrers.len()).expect("a few");
        World {
            sites,
            visited: Zipf::new(SITES, 1.1),
            largest: 0,
            agents: agents(&mut random),
            used: Zipf::new(AGENTS, 1.05),
            referrers,
            referred: Zipf::new(count, 1.2),
        }
    }

    /// The site of a visit.
    pub fn site(&self, random: &mut Random) -> usize {
        if self.largest > 0 && random.happens(100 * usize::from(self.largest)) {
            return 0;
        }
        self.visited.draw(random)
    }

    /// SQL that registers the applications.
    pub fn sql(&self) -> String {
        let values: Vec<String> = self
            .sites
            .iter()
            .map(|site| {
                format!("    ('{}', '{}', '{}', '{{{}}}')", site.key, site.host, site.zone, site.host)
            })
            .collect();
        format!(
            "INSERT INTO applications (app_key, name, time_zone, allowed_domains) VALUES\n{}\nON CONFLICT DO NOTHING;\n",
            values.join(",\n")
        )
    }
}

fn site(n: u16, random: &mut Random) -> Site {
    let key: String = (0..16).map(|_| char::from(random.one(b"23456789abcdefghjkmnpqrstuvwxyz"))).collect();
    // mostly English and German
    let language = &LANGUAGES[(random.unit() * random.unit() * LANGUAGES.len() as f64) as usize];
    let host = match n % 4 {
        0 => format!("www.shop-{n}.example"),
        1 => format!("blog-{n}.example"),
        2 => format!("www.mag-{n}.example"),
        _ => format!("app.svc-{n}.example"),
    };
    let count = 40 + random.below(1600) as u16;
    let mut pages = vec![page(&host, "/", &host)];
    while pages.len() < usize::from(count) {
        pages.push(random_page(&host, language, random));
    }
    let clicks = (0..30).map(|_| {
        let element =
            random.one(&["a#", "button#", "a#nav-main", "button#buy", "a#more", "div#hero", "span#", "img#"]);
        let text = random.one(language.buttons);
        if element.starts_with(['a', 'b']) {
            format!("&el={}&tx={}", encoded(element), encoded(text))
        } else {
            format!("&el={}", encoded(element))
        }
    });
    let clicks = clicks.collect();
    let links = (0..20).map(|_| {
        let to = random.one(&[
            "www.instagram.com",
            "www.youtube.com",
            "github.com",
            "maps.google.com",
            "partner.example",
        ]);
        let url = format!("https://{to}/{}", slug(language, random));
        let text = random.one(language.words);
        format!("&el=a%23&tx={}|&href={}", encoded(text), encoded(&url))
    });
    let links = links.collect();
    let terms = (0..60).map(|_| encoded(&words(language, random, 2))).collect();
    Site {
        key,
        host,
        collector: if n < 30 { "events.example.com" } else { "t.c.example" },
        languages: language.languages,
        is_full: n.is_multiple_of(3),
        time_zone: encoded(language.zone),
        zone: language.zone,
        pages,
        seen: Zipf::new(count, 0.95),
        clicks,
        links,
        terms,
    }
}

fn words(language: &Language, random: &mut Random, most: usize) -> String {
    let count = 1 + random.below(most);
    let words: Vec<&str> = (0..count).map(|_| random.one(language.words)).collect();
    words.join(" ")
}

fn slug(language: &Language, random: &mut Random) -> String {
    words(language, random, 3).replace(' ', "-").to_lowercase()
}

fn random_page(host: &str, language: &Language, random: &mut Random) -> Page {
    let section = random.one(language.sections);
    let mut target = match random.below(10) {
        0..5 => format!("/{section}/{}-{}", slug(language, random), random.below(9000)),
        5 | 6 => format!("/{section}?page={}", 1 + random.below(40)),
        7 => format!("/{section}/{}/{}", slug(language, random), slug(language, random)),
        8 => format!(
            "/{section}?category={}&sort={}",
            random.below(60),
            random.one(&["price", "new", "rating"])
        ),
        _ => format!("/{section}/"),
    };
    if random.happens(50) {
        // a few long ones: filters of a shop, what is shared from an app
        target += if target.contains('?') { "&" } else { "?" };
        for n in 0..4 + random.below(30) {
            target += &format!("filter%5B{n}%5D={}&", slug(language, random));
        }
        target.pop();
    }
    let title = format!("{} – {host}", words(language, random, 3));
    page(host, &target, &title)
}

fn page(host: &str, target: &str, title: &str) -> Page {
    let target = address(target);
    let url = format!("https://{host}{target}");
    Page { url_encoded: encoded(&url), url, target, title_encoded: encoded(title) }
}

fn referrers(random: &mut Random) -> Vec<String> {
    let mut all = vec![
        "https://www.google.com/".to_owned(),
        String::new(),
        "https://www.bing.com/".to_owned(),
        "https://www.google.de/".to_owned(),
        "https://l.facebook.com/".to_owned(),
        "https://duckduckgo.com/".to_owned(),
        "https://t.co/".to_owned(),
        "android-app://com.google.android.googlequicksearchbox/".to_owned(),
        "https://www.linkedin.com/".to_owned(),
        "https://chatgpt.com/".to_owned(),
        "https://news.ycombinator.com/".to_owned(),
    ];
    for n in 0..300 {
        all.push(match random.below(3) {
            0 => format!("https://forum-{n}.example/t/{}?page={}", random.below(90_000), random.below(9)),
            1 => format!("https://www.blog-{n}.example/"),
            _ => format!(
                "https://www.news-{n}.example/2026/{:02}/article-{}.html",
                1 + n % 12,
                random.below(9000)
            ),
        });
    }
    all.iter().map(|url| encoded(url)).collect()
}

/// User agents of people, the most frequent first.
fn agents(random: &mut Random) -> Vec<String> {
    const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
    let mut all = Vec::new();
    while all.len() < usize::from(AGENTS) {
        // the newest versions are the most frequent
        let age = all.len() / 6;
        let chrome = 142 - age - random.below(4);
        let agent = match random.below(10) {
            0..3 => format!(
                "Mozilla/5.0 ({}) {WEBKIT} Chrome/{chrome}.0.0.0 Safari/537.36",
                random.one(&[
                    "Windows NT 10.0; Win64; x64",
                    "Macintosh; Intel Mac OS X 10_15_7",
                    "X11; Linux x86_64"
                ])
            ),
            3 => format!(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/{chrome}.0.0.0 Safari/537.36 Edg/{chrome}.0.0.0"
            ),
            4 | 5 => format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_{1} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/{0}.{1} Mobile/15E148 Safari/604.1",
                18 - age.min(6),
                random.below(7)
            ),
            6 | 7 => format!(
                "Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
            ),
            8 => format!(
                "Mozilla/5.0 ({}; rv:{}.0) Gecko/20100101 Firefox/{}.0",
                random.one(&[
                    "Windows NT 10.0; Win64; x64",
                    "X11; Linux x86_64",
                    "Macintosh; Intel Mac OS X 10.15"
                ]),
                chrome + 3,
                chrome + 3
            ),
            _ => format!(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/{}.{} Safari/605.1.15",
                18 - age.min(6),
                random.below(7)
            ),
        };
        // where there are too many of the same, apps and old phones
        all.push(if all.contains(&agent) { rare_agent(random) } else { agent });
    }
    all
}

/// One of the long tail: nearly nobody else has it.
pub fn rare_agent(random: &mut Random) -> String {
    let build = random.below(9_000);
    match random.below(3) {
        0 => format!(
            "Mozilla/5.0 (Linux; Android {}; SM-A{}B Build/TP1A.{build:06}.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
             Version/4.0 Chrome/{}.0.{}.{} Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/{}.0.0.{}.{};]",
            9 + random.below(7),
            100 + random.below(500),
            90 + random.below(50),
            4000 + random.below(3000),
            random.below(200),
            400 + random.below(120),
            random.below(60),
            random.below(200)
        ),
        1 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {}_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
             Instagram {}.0.0.{}.{} (iPhone{},{}; iOS {}_{}; de_DE; de; scale=3.00; 1170x2532; {})",
            14 + random.below(5),
            random.below(8),
            250 + random.below(120),
            random.below(40),
            random.below(200),
            10 + random.below(8),
            1 + random.below(6),
            14 + random.below(5),
            random.below(8),
            400_000_000 + build * 1000
        ),
        _ => format!(
            "Mozilla/5.0 (Linux; Android {}; M{build} Build/SKQ1.{:06}.001) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/{}.0.{}.{} Mobile Safari/537.36",
            10 + random.below(6),
            random.below(900_000),
            80 + random.below(60),
            4000 + random.below(3000),
            random.below(200)
        ),
    }
}
