//! Lists of user agents, and the promised rates of those that are classified correctly.

use super::*;

const CRAWLERS: &str = include_str!("../../../../../tests/it/data/agents/crawlers.txt");
const BROWSERS: &str = include_str!("../../../../../tests/it/data/agents/browsers.txt");
const HARD: &str = include_str!("../../../../../tests/it/data/agents/hard.txt");

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
fn at_least_99_of_100_crawlers_are_recognised() {
    let rules = AgentRules::builtin();
    let missed = wrong(&rules, CRAWLERS, false);
    assert!(CRAWLERS.lines().count() >= 2_000);
    assert!(missed.len() * 100 <= CRAWLERS.lines().count(), "{} missed: {missed:#?}", missed.len());
}

#[test]
fn at_most_2_of_1000_browsers_are_misjudged() {
    let rules = AgentRules::builtin();
    let misjudged = wrong(&rules, BROWSERS, true);
    assert!(BROWSERS.lines().count() >= 1_000);
    assert!(misjudged.len() * 500 <= BROWSERS.lines().count(), "{misjudged:#?}");
    assert_eq!(wrong(&rules, HARD, true), []);
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
    // These two are of a hit, whatever its user agent.
    let of_hits = [TrafficClass::Suspect, TrafficClass::Server];
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
