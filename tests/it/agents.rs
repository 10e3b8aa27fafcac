//! The rates of the rules for user agents, with lists that are not in the repository.
//!
//! Held elsewhere: the rates with the lists that are (`enrich::agent::tests`).

use std::path::Path;
use std::{env, fs};

use alt_line::enrich::AgentRules;
use alt_line::row::TrafficClass;

/// Prints the rate of each file of the folder `ALT_AGENT_LISTS` whose name begins with `people` or `programs`, one user
/// agent a line. The wrong ones go to the folder `ALT_AGENT_WRONG`, after the rule that decided.
#[test]
#[ignore = "needs lists from elsewhere"]
fn rates_of_other_lists() {
    let rules = AgentRules::builtin();
    let folder = env::var("ALT_AGENT_LISTS").expect("ALT_AGENT_LISTS names a folder");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let people = name.starts_with("people");
        if !people && !name.starts_with("programs") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let all = text.lines().count();
        let wrong: Vec<String> = text
            .lines()
            .map(|agent| (agent, rules.judge(agent)))
            .filter(|(_, (class, _))| (*class == TrafficClass::Human) != people)
            .map(|(agent, (_, rule))| format!("{}\t{agent}\n", rules.rule_text(rule)))
            .collect();
        println!("{name}: {} of {all} wrong, {:.3} %", wrong.len(), wrong.len() as f64 * 100.0 / all as f64);
        if let Ok(to) = env::var("ALT_AGENT_WRONG") {
            fs::write(Path::new(&to).join(name), wrong.concat()).unwrap();
        }
    }
}
