//! Lists of user agents, and the promised rates of those that are classified correctly.

use super::*;

const CRAWLERS: &str = include_str!("../../../../../tests/it/data/agents/crawlers.txt");
const BROWSERS: &str = include_str!("../../../../../tests/it/data/agents/browsers.txt");
const HARD: &str = include_str!("../../../../../tests/it/data/agents/hard.txt");
const AI_AGENTS: &str = include_str!("../data/ai-agents.json");

/// The user agents of a list that are classified wrongly.
fn wrong(rules: &AgentRules, list: &'static str, human: bool) -> Vec<(&'static str, String)> {
    list.lines()
        .filter_map(|agent| {
            let (class, rule) = rules.judge(agent);
            ((class == TrafficClass::Human) != human).then(|| (agent, rules.rule_text(rule)))
        })
        .collect()
}

#[test]
fn at_least_995_of_1000_crawlers_are_recognised() {
    let rules = AgentRules::builtin();
    let missed = wrong(&rules, CRAWLERS, false);
    assert!(CRAWLERS.lines().count() >= 2_000);
    assert!(missed.len() * 200 <= CRAWLERS.lines().count(), "{} missed: {missed:#?}", missed.len());
}

#[test]
fn programs_have_their_own_names() {
    let rules = AgentRules::builtin();
    let mozilla = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible;";
    for (agent, name) in [
        (format!("{mozilla} GPTBot/1.2; +https://openai.com/gptbot)"), "GPTBot 1.2"),
        (format!("{mozilla} ClaudeBot/1.0; +claudebot@anthropic.com)"), "ClaudeBot 1.0"),
        (format!("{mozilla} PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)"), "PerplexityBot 1.0"),
        (format!("{mozilla} ChatGPT-User/1.0; +https://openai.com/bot)"), "ChatGPT-User 1.0"),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".to_owned(),
            "Googlebot 2.1",
        ),
        ("Googlebot-Image/1.0".to_owned(), "Googlebot-Image 1.0"),
        (
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)".to_owned(),
            "Slurp",
        ),
        (
            "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)".to_owned(),
            "SemrushBot 7",
        ),
        ("Mozilla/5.0 (compatible; MyOwnCrawler/3.4)".to_owned(), "MyOwnCrawler 3.4"),
        ("python-requests/2.31.0".to_owned(), "python-requests 2.31.0"),
        ("curl/8.5.0".to_owned(), "curl 8.5.0"),
        ("kubectl/v1.12.0 (linux/amd64) kubernetes/0ed3388".to_owned(), "kubectl 1.12.0"),
        ("Mozilla/4.0 (compatible; Arachmo)".to_owned(), "Arachmo"),
        ("Mozilla/5.0 (pc-x86_64-linux-gnu) Siege/4.0.4".to_owned(), "Siege 4.0.4"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0 Safari/537.36".to_owned(),
            "HeadlessChrome 120.0.0.0",
        ),
        (
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)".to_owned(),
            "UptimeRobot 2.0",
        ),
    ] {
        let described = rules.describe(&agent);
        assert_ne!(described.traffic_class, TrafficClass::Human, "{agent}");
        let shown = format!("{} {}", described.browser, described.browser_version);
        assert_eq!(shown.trim_end(), name, "{agent}: {}", described.rule);
    }
    // Each program of the corpus has a name, but for those whose user agent says nothing; and whatever comes, none is long.
    let (mut named, mut count) = (0, 0);
    for agent in include_str!("../../../../../tests/it/data/agents/crawlers.txt").lines() {
        let described = rules.describe(agent);
        named += usize::from(!described.browser.is_empty());
        count += 1;
        assert!(described.browser.len() <= 60, "{agent}");
    }
    assert!(named * 100 >= count * 95, "{named} of {count}");
    for hostile in [
        "compatible;",
        "bot",
        "é bot é",
        "ſbot",
        "İbot/1",
        &"a".repeat(5000),
        &format!("bot{}", "/".repeat(300)),
    ] {
        rules.describe(hostile);
    }
}

#[test]
fn at_most_1_of_1000_browsers_is_misjudged() {
    let rules = AgentRules::builtin();
    let misjudged = wrong(&rules, BROWSERS, true);
    assert!(BROWSERS.lines().count() >= 1_000);
    assert!(misjudged.len() * 1_000 <= BROWSERS.lines().count(), "{misjudged:#?}");
    assert_eq!(wrong(&rules, HARD, true), []);
}

#[test]
fn a_word_in_a_model_a_build_or_a_plug_in_is_no_crawler() {
    const PEOPLE: &str = "\
Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36
Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP3A.240617.008)
Mozilla/5.0 (Linux; Android 13; Catcher) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36
Mozilla/5.0 (Linux; Android 4.4.2; GM Discovery II Build/KOT49H) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.83 Mobile Safari/537.36
Mozilla/5.0 (Linux; Android 12; 4K Google TV Stick) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36
Mozilla/5.0 (Linux; Android 6.0.1; M BOT TAB 101) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.80 Safari/537.36
Mozilla/5.0 (Linux; Android 10; NEWS 5 Build/QP1A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.88 Mobile Safari/537.36
Mozilla/5.0 (Linux; Android 9; HIGHSCREEN Fever) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.88 Mobile Safari/537.36
Mozilla/5.0 (Linux; Android 10; Fever (2022) capture) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.88 Mobile Safari/537.36
Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0; HTC; Radar C110e)
Mozilla/5.0 (Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.140 Safari/537.36 OPR/46.0.2207.0 OMI/4.21.4.112.Catcher4.66 Model/TV
Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 [FBAN/FB4A;FBDV/Fever;FBCR/Google Fi;FBLC/en_US]
Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/7.0; GWX:DOWNLOADED; .NET4.0C)
Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0; chromeframe/31.0.1650.63; msn OptimizedIE8;ENGB)
Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; Avant Browser [avantbrowser.com]; Sgrunt|V109|1|S-66843412|dial)
Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; FeedTools; JavaPlugin; GoogleToolbar 5)
SonyEricssonT68/R201A
MyShop/3.1 (iPhone; iOS 18.5)
MyShop/3.1 (Linux; Android 15; Discovery)
GA4 export (Windows; desktop)";
    let rules = AgentRules::builtin();
    assert_eq!(wrong(&rules, PEOPLE, true), []);
}

#[test]
fn a_program_is_one_where_it_names_itself() {
    #[rustfmt::skip]
    const PROGRAMS: &[(&str, TrafficClass, &str)] = &[
        ("Dart/3.5 (dart:io)", TrafficClass::Bot, "no browser"),
        ("kubectl/v1.12.0 (linux/amd64) kubernetes/0ed3388", TrafficClass::Bot, "no browser"),
        ("docker/19.03.8 go/go1.12.17 git-commit/afacb8b7f0 kernel/4.19.123 os/linux arch/amd64", TrafficClass::Bot, "no browser"),
        ("twine/3.4.2 importlib_metadata/4.8.1 pkginfo/1.7.1 requests/2.26.0 CPython/3.8.12", TrafficClass::Bot, "no browser"),
        ("Gradle/7.1 (Linux;4.15.0-162-generic;amd64) (Oracle Corporation;11.0.10;11.0.10+9)", TrafficClass::Bot, "no browser"),
        ("ureq/2.0.0-rc1", TrafficClass::Bot, "no browser"),
        ("ReactorNetty/0.7.10.RELEASE", TrafficClass::Bot, "no browser"),
        ("GitLab/17.11.5-ee", TrafficClass::Bot, "no browser"),
        ("Mikrotik/6.x Fetch", TrafficClass::Bot, "no browser"),
        ("Mozilla/5.0 (pc-x86_64-linux-gnu) Siege/4.0.4", TrafficClass::Bot, "no browser"),
        ("Mozilla/4.0 (compatible; Arachmo)", TrafficClass::Bot, "no browser"),
        ("Mozilla/5.0 (compatible; um-ANS/1.0; Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3528.4 Safari/537.36", TrafficClass::Bot, "no browser"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) wkhtmltopdf Safari/534.34", TrafficClass::Bot, "crawler:wkhtmltopdf"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) wkhtmltoimage Safari/534.34", TrafficClass::Bot, "crawler:wkhtmltoimage"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36 DebugBear", TrafficClass::Monitor, "monitor:debugbear"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:82.0) Gecko/20100101 Firefox/82.0 Observatory/82.0", TrafficClass::Monitor, "monitor:observatory/"),
        ("008/0.83; (http://www.80legs.com/webcrawler.html) Gecko/2008032620", TrafficClass::Bot, "crawler:(?:^|[ (;])008/"),
        ("Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; DuplexWeb-Google/1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/74.0.3729.131 Mobile Safari/537.36", TrafficClass::Bot, "crawler:DuplexWeb-Google"),
        ("Mozilla/5.0 (Linux; Android 6.0; Somebot/1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/74.0.3729.131 Mobile Safari/537.36", TrafficClass::Bot, "crawler:bots?(?:\\b|_)"),
        ("Mozilla/5.0 (Linux; Android 6.0; Nexus 5; compatible; Googlebot/2.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/74.0.3729.131 Mobile Safari/537.36", TrafficClass::Bot, "crawler:Googlebot/"),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", TrafficClass::Bot, "prefetch:MSOffice"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.8431; Pro)", TrafficClass::Bot, "prefetch:Microsoft Outlook"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Word/14.64.0", TrafficClass::Bot, "prefetch:Mac OS X\\) (?:Word|Excel|PowerPoint|Outlook|OneNote)/"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", TrafficClass::Bot, "prefetch:GoogleImageProxy"),
    ];
    let rules = AgentRules::builtin();
    for (agent, class, rule) in PROGRAMS {
        let (got, why) = rules.judge(agent);
        assert_eq!((got, rules.rule_text(why).as_str()), (*class, *rule), "{agent}");
    }
}

#[test]
fn published_agents_of_language_models_are_known_and_told_apart() {
    let list: serde_json::Value = serde_json::from_str(AI_AGENTS).unwrap();
    let names = |list: &serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
    };
    let rules = AgentRules::builtin();
    let mut known = 0;
    for kind in ["users", "crawlers"] {
        for name in names(&list[kind]).into_iter().chain(names(&list["plain"][kind])) {
            for agent in [
                name.clone(),
                format!("{name}/1.0"),
                format!("Mozilla/5.0 (compatible; {name}/1.0; +https://crawler.example/)"),
                format!(
                    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {name}/1.0) Chrome/120.0.0.0 Safari/537.36"
                ),
            ] {
                let (class, rule) = rules.judge(&agent);
                let rule = rules.rule_text(rule);
                assert_eq!(class, TrafficClass::AiBot, "{agent}: {rule}");
                assert_eq!(rule.starts_with("ai_user:"), kind == "users", "{agent}: {rule}");
            }
            known += 1;
        }
    }
    let others: Vec<&String> = list["not"].as_object().unwrap().keys().collect();
    assert!(known >= 160 && others.len() == 2, "{known}, {others:?}");
    for name in others {
        assert_eq!(rules.judge(&format!("{name}/1.1")).0, TrafficClass::Bot, "{name}");
    }
    // A person's editor.
    let editor = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Code/1.97.2 Chrome/132.0.6834.196 Electron/34.2.0 Safari/537.36";
    assert_eq!(rules.judge(editor).0, TrafficClass::Human);
}

#[test]
fn each_is_what_it_is() {
    let rules = AgentRules::builtin();
    let classes = |class| -> &[&str] {
        match class {
            TrafficClass::AiBot => &[
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
                "CCBot/2.0 (https://commoncrawl.org/faq/)",
                "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
                "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
                "Mozilla/5.0 (compatible; Google-Extended)",
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot-Extended/0.1)",
            ],
            TrafficClass::Monitor => &[
                "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
                "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 PingdomPageSpeed/1.0",
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/98.0 Safari/537.36 StatusCake",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 DatadogSynthetics",
                "ELB-HealthChecker/2.0",
                "kube-probe/1.29",
            ],
            TrafficClass::Headless => &[
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
                "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Cypress/13.6.4 Chrome/114.0.5735.289 Electron/25.8.4 Safari/537.36",
            ],
            TrafficClass::Bot => &[
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
                "python-requests/2.31.0",
                "Go-http-client/1.1",
                "Wget/1.21.4",
                "Viber",
                "Mozilla/5.0 (compatible; NobodyKnowsMeBot/0.1)",
                "SomeFancyCrawler",
                "",
                "-",
                " ",
            ],
            _ => &["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:124.0) Gecko/20100101 Firefox/124.0"],
        }
    };
    // These are of a hit, whatever its user agent.
    let of_hits = [TrafficClass::Suspect, TrafficClass::Server, TrafficClass::Excluded];
    for class in TrafficClass::ALL.iter().filter(|c| !of_hits.contains(c)) {
        for agent in classes(*class) {
            let (got, rule) = rules.judge(agent);
            assert_eq!(got, *class, "{agent}: {}", rules.rule_text(rule));
        }
    }
}

#[test]
fn machines() {
    let rules = AgentRules::builtin();
    let of = |agent: &str| {
        let a = rules.describe(agent);
        format!("{} {} | {} {} | {}", a.browser, a.browser_version, a.os, a.os_version, a.device)
    };
    let all: Vec<String> = HARD.lines().map(of).collect();
    insta::assert_snapshot!(all.join("\n"), @r"
    Chrome 109.0.0.0 | Android 9 | phone
    Chrome 120.0.0.0 | Android 11 | phone
    Chrome 100.0.4896.127 | Android 12 | phone
    Chrome 96.0.4664.45 | Android 7.0 | phone
    Facebook 456.0.0.43.109 | iOS 17.4 | phone
    Facebook 453.0.0.38.108 | Android 13 | phone
    Facebook  | Android 16 | phone
    Instagram 321.0.3.26.82 | iOS 17.3.1 | phone
    TikTok 2023303030 | Android 14 | phone
    WeChat 8.0.42 | iOS 16.6 | phone
    Google Search App 306.0.613447432 | iOS 17.4 | phone
    Google Search App 14.7.22 | Android 12 | phone
    Snapchat 12.77.0.39 | iOS 17.4 | phone
    Pinterest  | iOS 17.2 | phone
    LINE 13.19.0 | iOS 17.1 | phone
    LinkedIn 9.29.4871 | iOS 17.4 | phone
    Viber 20.3.1.0 | Android 13 | phone
    Huawei Browser 14.0.2.311 | Android 10 | phone
    MIUI Browser 17.1.8 | Android 11 | phone
    UC Browser 13.4.0.1306 | Android 10 | phone
    Silk 120.4.1 | Android 9 | tv
    Opera Mini 36.2.2254 | Android  | phone
    Internet Explorer 11.0 | Windows 10 | desktop
    Internet Explorer 8.0 | Windows 7 | desktop
    Vivaldi 6.6.3271.57 | Windows 10 | desktop
    Yandex Browser 24.4.0.0 | Windows 10 | desktop
    Chrome 65.0.3314.0 | Windows 7 | desktop
    Sogou 13.9.2 | Android 10 | phone
    Baidu 13.55.0.10 | Android 12 | phone
    Safari  |   | tv
    Chrome 94.0.4606.128 | Linux  | tv
    Safari 15.4 |   | console
      |   | console
    Firefox 48.0 | KaiOS  | phone
    Chrome 122.0.0.0 | ChromeOS 14541.0.0 | desktop
    Firefox 124.0 | Linux  | desktop
    Safari 17.4 | iOS 17.4 | tablet
    Chrome 122.0.0.0 | Android 13 | tablet
    Electron 28.2.2 | macOS 10.15.7 | desktop
    Electron 39.8.5 | Windows 10 | desktop
    DuckDuckGo 7 | iOS 17.4 | phone
    Chrome 111.0.0.0 | Android 12 | phone
    Webview  | iOS 16.0 | phone
    ");
}

#[test]
fn lists_that_cannot_be_used_say_why() {
    for (text, expect) in [
        ("", "not a list of crawlers: EOF"),
        ("[]", "not a list of crawlers: "),
        ("{}", "missing field `classes`"),
        (r#"{"classes": {}}"#, "no entry in any class"),
        (r#"{"classes": {"bots": {}}}"#, "unknown field `bots`"),
        (r#"{"classes": {"bot": {"name": ["x"]}}}"#, "unknown field `name`"),
        (r#"{"classes": {"bot": {"names": [""]}}}"#, "an entry of bot is empty"),
        (
            r#"{"people": {"engines": [""]}, "classes": {"bot": {"names": ["x"]}}}"#,
            "a sign of people is empty",
        ),
        (r#"{"people": {"engine": []}, "classes": {}}"#, "unknown field `engine`"),
        (r#"{"classes": {"prefetch": {"names": [""]}}}"#, "an entry of prefetch is empty"),
        (r#"{"classes": {"bot": {"word_patterns": ["a", "("]}}}"#, "pattern \"(\""),
        (r#"{"classes": {"monitor": {"name_patterns": ["a(?=b)"]}}}"#, "pattern \"a(?=b)\""),
        (r#"{"classes": {"bot": {"name_patterns": ["(a{1000}){1000}"]}}}"#, "pattern \"(a{1000}){1000}\""),
    ] {
        let e = AgentRules::from_json(text).expect_err(text).to_string();
        assert!(e.contains(expect), "{text}: {e}");
    }
    let own = AgentRules::from_json(r#"{"harmless": ["my bot"], "classes": {"ai_bot": {"words": ["BOT"]}}}"#)
        .unwrap();
    assert_eq!(own.judge("A Robot").0, TrafficClass::AiBot);
    assert_eq!(own.judge("My Bot"), (TrafficClass::Human, AgentRule::Default));
    assert_eq!(own.judge("Googlebot/2.1").0, TrafficClass::AiBot, "nothing of the built-in list is left");
    assert_eq!(own.len(), 1);
}

#[test]
fn the_kept_part_is_cut_at_a_character() {
    assert_eq!(kept("abc"), "abc");
    assert_eq!(kept(&"é".repeat(300)).len(), 512);
    assert_eq!(kept(&format!("a{}", "é".repeat(300))).len(), 511);
    assert_eq!(id_of(&"x".repeat(600)), id_of(&"x".repeat(512)));
    assert_ne!(id_of(&"x".repeat(511)), id_of(&"x".repeat(512)));
    // Fixed: it is a key in the database.
    assert_eq!(id_of("curl/8.5.0"), 8_428_684_196_906_918_812);
}
