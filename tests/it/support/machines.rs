//! A line between two machines, on which packets are lost: the machines are network namespaces, and a third one between
//! them passes packets on, or does not.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::not_looked_at;

/// The two addresses: of the daemon's machine, and of the server's.
const DAEMON: &str = "10.255.1.2";
pub(crate) const SERVER: &str = "10.255.2.2";

/// The machines. They end with this, and so does all that is set up in them.
pub(crate) struct Machines {
    daemon: Child,
    between: Child,
    server: Child,
}

impl Machines {
    /// `None`, and said so: this may not make any.
    pub(crate) fn new() -> Option<Machines> {
        let three = (machine(), machine(), machine());
        let (Some(daemon), Some(between), Some(server)) = three else {
            not_looked_at("packets that are lost: this may not make network namespaces");
            return None;
        };
        let machines = Machines { daemon, between, server };
        // In a container /proc/sys may be read-only. A namespace that is new may pass packets on by itself.
        let forward = "/proc/sys/net/ipv4/ip_forward";
        let forwards = format!("[ \"$(cat {forward})\" = 1 ] || echo 1 >{forward}");
        let mut test = Command::new("nsenter");
        test.args(&enter(&machines.between)[1..]).args(["sh", "-c", &forwards]).stderr(Stdio::null());
        if !test.status().is_ok_and(|status| status.success()) {
            not_looked_at("packets that are lost: this may not let a network namespace pass packets on");
            return None;
        }
        machines.connect(&machines.daemon, "daemon", 1);
        machines.connect(&machines.server, "server", 2);
        Some(machines)
    }

    fn connect(&self, machine: &Child, name: &str, net: u8) {
        self.between(&format!(
            "ip link add {name} type veth peer name eth0 netns {} && ip addr add 10.255.{net}.1/24 dev {name} && \
             ip link set {name} up",
            machine.id()
        ));
        within(
            machine,
            &format!(
                "ip link set lo up && ip addr add 10.255.{net}.2/24 dev eth0 && ip link set eth0 up && \
                 ip route add default via 10.255.{net}.1"
            ),
        );
    }

    /// The daemon's machine, on which nothing may run, knows nothing any more of what it was connected to.
    pub(crate) fn power_fails(&mut self) {
        self.between("ip link del daemon");
        end(&mut self.daemon);
        self.daemon = machine().unwrap();
        self.connect(&self.daemon, "daemon", 1);
    }

    /// What a command is to be preceded by to run on the daemon's machine.
    pub(crate) fn daemons(&self) -> Vec<String> {
        enter(&self.daemon)
    }

    /// The same on the server's.
    pub(crate) fn servers(&self) -> Vec<String> {
        enter(&self.server)
    }

    /// From now on no packet arrives, either way, and nobody is told.
    pub(crate) fn cut(&self) {
        self.between(&format!("ip route add blackhole {DAEMON} && ip route add blackhole {SERVER}"));
    }

    /// They arrive again.
    pub(crate) fn mend(&self) {
        self.between(&format!("ip route del blackhole {DAEMON} && ip route del blackhole {SERVER}"));
    }

    fn between(&self, script: &str) {
        within(&self.between, script);
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in [&mut self.daemon, &mut self.between, &mut self.server] {
            end(machine);
        }
    }
}

fn end(machine: &mut Child) {
    let _ = machine.kill();
    let _ = machine.wait();
}

/// A namespace is there as long as this process; it ends with us, however we end.
fn machine() -> Option<Child> {
    let mut machine = Command::new("unshare")
        .args(["--net", "sh", "-c", "command -v ip nsenter >/dev/null && echo && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let is_there = machine.stdout.as_mut().unwrap().read(&mut [0]).unwrap() == 1;
    if !is_there {
        let _ = machine.wait();
    }
    is_there.then_some(machine)
}

fn enter(machine: &Child) -> Vec<String> {
    vec!["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", machine.id()), "--".to_owned()]
}

fn within(machine: &Child, script: &str) {
    let enter = enter(machine);
    let mut command = Command::new(&enter[0]);
    let output = command.args(&enter[1..]).args(["sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}
