//! A limit to a process's memory, as `MemoryMax=` of systemd sets it: beyond it the kernel kills.

use std::fs;
use std::path::PathBuf;

use super::not_looked_at;

/// A control group of its own.
pub(crate) struct Limit {
    group: PathBuf,
    /// Its file that has the limit.
    file: PathBuf,
}

impl Limit {
    /// `None`, and said so: this may not make any.
    pub(crate) fn new() -> Option<Limit> {
        let name = format!("alt-test-{}", std::process::id());
        // Version 2, and version 1.
        for (root, file) in
            [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
        {
            let group = PathBuf::from(root).join(&name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let limit = Limit { file: group.join(file), group };
            if fs::read(&limit.file).is_ok() {
                // Where swap is not counted, there is none.
                let _ = fs::write(limit.group.join("memory.swap.max"), "0");
                return Some(limit);
            }
        }
        not_looked_at("a limit to the memory: this may not make a control group that has one");
        None
    }

    /// What is in it may have so many megabytes.
    pub(crate) fn set(&self, megabytes: u64) {
        fs::write(&self.file, (megabytes << 20).to_string()).unwrap();
    }

    /// What is in it may have no more than it has.
    pub(crate) fn tighten(&self) {
        let mut bytes = 1 << 20;
        // Version 1 refuses what it cannot bring about.
        while fs::write(&self.file, bytes.to_string()).is_err() {
            bytes += 64 << 10;
        }
    }

    /// How often the kernel has killed in it.
    pub(crate) fn kills(&self) -> u64 {
        let said = ["memory.events", "memory.oom_control"];
        let said = said.iter().find_map(|name| fs::read_to_string(self.group.join(name)).ok()).unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.unwrap().parse().unwrap()
    }

    /// What a command is to be preceded by to run in it.
    pub(crate) fn enter(&self) -> Vec<String> {
        let script = "echo $$ >\"$0\" && exec \"$@\"";
        let processes = self.group.join("cgroup.procs").display().to_string();
        vec!["sh".to_owned(), "-c".to_owned(), script.to_owned(), processes]
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.group);
    }
}
